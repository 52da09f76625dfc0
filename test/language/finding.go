package language

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Finding is one use of a word to avoid.
type Finding struct {
	Path   string // of the file, below the root of the repository, with slashes
	Line   int
	Word   string // Word.Name, LongCell, or "name " and the identifier
	Better string
}

func (f Finding) String() string {
	return fmt.Sprintf("%s:%d: instead of %q write %s", f.Path, f.Line, f.Word, f.Better)
}

// passage is a continuous text, such as a comment of several lines.
type passage struct {
	line int // of its first byte
	text string
}

// findings returns the words to avoid in a passage, in the order of their lines.
func (p passage) findings(path string) []Finding {
	var out []Finding
	for _, word := range Words {
		var proper [][]int // matches of allowed uses
		if word.allowed != nil {
			proper = word.allowed.FindAllStringIndex(p.text, -1)
		}
		for _, place := range word.found.FindAllStringIndex(p.text, -1) {
			if slices.ContainsFunc(proper, func(use []int) bool { return use[0] <= place[0] && place[1] <= use[1] }) {
				continue
			}
			line := p.line + strings.Count(p.text[:place[0]], "\n")
			out = append(out, Finding{Path: path, Line: line, Word: word.Name, Better: word.Better})
		}
	}
	slices.SortStableFunc(out, func(a, b Finding) int { return cmp.Compare(a.Line, b.Line) })
	return out
}
