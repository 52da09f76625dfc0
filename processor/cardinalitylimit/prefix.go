package cardinalitylimit

import (
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/otelcol-custom/otelcol-custom/internal/check"
)

// checkPrefixes refuses expressions that match "resource." with a part of the expression. Only a text that begins with
// "resource." itself is about attributes of resources. Other expressions are about attributes of points, so these would match
// nothing.
func checkPrefixes(e *check.Errors, field string, labels []string) {
	for i, label := range labels {
		e.That(!hidesPrefix(label), check.Item(field, i),
			`an expression that begins with "`+resourcePrefix+`" itself if it is about resources; alternatives are items of their own`, label)
	}
}

// hidesPrefix reports whether an expression, or one of its alternatives, matches names that begin with "resource." although
// its text does not begin so.
func hidesPrefix(label string) bool {
	rest, plain := strings.CutPrefix(label, resourcePrefix)
	parsed, err := syntax.Parse(rest, syntax.Perl)
	if err != nil {
		return false // Regexps reports it
	}
	return (!plain || parsed.Op == syntax.OpAlternate) && slices.Contains(rests(parsed, resourcePrefix), "")
}

// rests returns the parts of beginning that can remain after an expression has matched a part of it. The result contains ""
// if the expression can match all of it, and is empty if it cannot match. A dot that is not escaped counts as a dot.
func rests(re *syntax.Regexp, beginning string) (left []string) {
	if beginning == "" {
		return []string{""}
	}
	switch re.Op {
	case syntax.OpLiteral:
		text := strings.ToLower(string(re.Rune))
		if strings.HasPrefix(text, beginning) {
			return []string{""}
		}
		if rest, ok := strings.CutPrefix(beginning, text); ok {
			return []string{rest}
		}
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		if rest, ok := strings.CutPrefix(beginning, "."); ok {
			return []string{rest}
		}
	case syntax.OpBeginText, syntax.OpBeginLine, syntax.OpEmptyMatch:
		return []string{beginning}
	case syntax.OpCapture:
		return rests(re.Sub[0], beginning)
	case syntax.OpAlternate:
		for _, sub := range re.Sub {
			left = append(left, rests(sub, beginning)...)
		}
	case syntax.OpConcat:
		left = []string{beginning}
		for _, sub := range re.Sub {
			var next []string
			for _, rest := range left {
				next = append(next, rests(sub, rest)...)
			}
			slices.Sort(next)
			left = slices.Compact(next)
		}
	default: // a class or a repetition may match many other names, too
	}
	return left
}
