package docs

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
)

var (
	fence    = regexp.MustCompile("^\\s*(?:```|~~~)")
	heading  = regexp.MustCompile(`^ {0,3}#{1,6}[ \t]+(.*?)(?:[ \t]+#+)?[ \t]*$`)
	linkText = regexp.MustCompile(`!?\[([^\]]*)\]\([^)]*\)`)
)

// anchors returns the anchors that GitHub gives the headings of a page.
func anchors(content string) map[string]bool {
	all, times, inCode := map[string]bool{}, map[string]int{}, false
	for line := range strings.Lines(content) {
		line = strings.TrimRight(line, "\r\n")
		if fence.MatchString(line) {
			inCode = !inCode
		}
		m := heading.FindStringSubmatch(line)
		if inCode || m == nil {
			continue
		}
		name := anchor(m[1])
		if n := times[name]; n > 0 {
			all[name+"-"+strconv.Itoa(n)] = true
		} else {
			all[name] = true
		}
		times[name]++
	}
	return all
}

// anchor applies GitHub's rule: a link counts as its text, letters become lower case, blanks become hyphens, and all characters
// except letters, digits, hyphens and underscores are removed.
func anchor(title string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-', r == '_', unicode.IsLetter(r), unicode.IsMark(r), unicode.IsNumber(r):
			return unicode.ToLower(r)
		}
		return -1
	}, linkText.ReplaceAllString(title, "$1"))
}

func TestAnchors(t *testing.T) {
	assert.Equal(t, map[string]bool{
		"the-log": true, "the-log-1": true, "loghealthy--what-it-means": true, "limits": true, "über-100-": true, "a_b-c": true,
	}, anchors("# The log\n\n## The log\n### `log::healthy`: / what it *means*? ###\n"+
		"```sh\n# no heading\n```\n#no heading\n## [Limits](limits.md#x)\n# Über 100 %\r\n# a_b-c\n"))
}
