package check

import (
	"regexp"
	"regexp/syntax"
)

// Regexps wants regular expressions and returns those that are, anchored.
func Regexps(e *Errors, field string, exprs []string) []*regexp.Regexp {
	compiled := make([]*regexp.Regexp, 0, len(exprs))
	for i, expr := range exprs {
		re, err := Anchored(expr)
		if err != nil {
			e.add(&Error{Path: e.prefix + Item(field, i), Must: "a regular expression", Got: expr, Cause: err})
			continue
		}
		compiled = append(compiled, re)
	}
	return compiled
}

// Regexp wants a regular expression that may match anywhere in a text.
func Regexp(e *Errors, field, expr string) {
	if _, err := regexp.Compile(expr); err != nil {
		e.add(&Error{Path: e.prefix + field, Must: "a regular expression", Got: expr, Cause: err})
	}
}

// Anchored compiles an expression (RE2) that must match a whole text.
//
// The expression is parsed alone before it is put in a group: otherwise one such as
// `a)|(?:b` would close the group and escape the anchors, and `\Qa` would quote the
// group's end. The anchors are those of the text, whatever flags the expression sets.
func Anchored(expr string) (*regexp.Regexp, error) {
	parsed, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return nil, err
	}
	return regexp.Compile(`\A(?:` + parsed.String() + `)\z`)
}
