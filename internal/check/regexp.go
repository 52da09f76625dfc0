package check

import (
	"regexp"
	"regexp/syntax"
)

// Regexps requires regular expressions. It returns the valid ones, anchored at both ends: they match whole texts only.
func Regexps(e *Errors, field string, exprs []string) []*regexp.Regexp {
	compiled := make([]*regexp.Regexp, 0, len(exprs))
	for i, expr := range exprs {
		re, err := anchored(expr)
		if err != nil {
			e.add(&Error{Path: e.prefix + Item(field, i), Must: "a regular expression", Got: expr, Cause: err})
			continue
		}
		compiled = append(compiled, re)
	}
	return compiled
}

// Regexp requires a regular expression. It may match anywhere in a text.
func Regexp(e *Errors, field, expr string) {
	if _, err := regexp.Compile(expr); err != nil {
		e.add(&Error{Path: e.prefix + field, Must: "a regular expression", Got: expr, Cause: err})
	}
}

// anchored compiles an expression (RE2) so that it matches whole texts only.
//
// The expression is parsed by itself before it goes into a group. Otherwise an expression such as `a)|(?:b` would close
// the group and escape the anchors, and `\Qa` would quote the end of the group. The anchors \A and \z mean the ends of
// the text whatever flags the expression sets.
func anchored(expr string) (*regexp.Regexp, error) {
	parsed, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return nil, err
	}
	return regexp.Compile(`\A(?:` + parsed.String() + `)\z`)
}
