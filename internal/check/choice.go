package check

import (
	"maps"
	"slices"
	"strings"
)

// OneOf requires one of the allowed values.
func OneOf[T ~string](e *Errors, field string, got T, allowed ...T) {
	all := make(names, len(allowed))
	for i, name := range allowed {
		all[i] = string(name)
	}
	e.That(slices.Contains(allowed, got), field, "one of "+all.String(), string(got))
}

// ExactlyOne requires that exactly one of several keys below field is set. Given maps each of the keys to whether the
// user has set it.
func ExactlyOne(e *Errors, field string, given map[string]bool) {
	all := names(slices.Sorted(maps.Keys(given)))
	set := slices.DeleteFunc(slices.Clone(all), func(key string) bool { return !given[key] })
	e.That(len(set) == 1, field, "exactly one of "+all.String(), set)
}

// Name requires a name that is compared literally. A backslash shows that the user expected a regular expression, and
// the name would match nothing.
func Name(e *Errors, field, got string) {
	e.That(!strings.Contains(got, `\`), field, "a name without a backslash, not a regular expression", got)
}

// names prints as a list without quotes.
type names []string

func (n names) String() string {
	if len(n) == 0 {
		return "none"
	}
	return strings.Join(n, ", ")
}
