package cardinalitylimit

import (
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"
)

// An expression to be pasted matches exactly the name, and shows every character of it.
func TestRemediesOfHostileNames(t *testing.T) {
	for _, name := range []string{
		"order.errors", "\u202egnp.exe", "a\x1b[31m", "x\ny: [z]", "\"]}, drop: [\"all", "${env:HOME}", "a b", "a\u00a0b", "日本", "\u2028",
		`\x{41}`, "'", "#", "<img src=x>",
	} {
		text := remedy(name, name)
		require.NotEmpty(t, text)
		for _, r := range text {
			require.True(t, r == '\n' || unicode.IsPrint(r), "%q of %q", r, name)
		}
		var conf struct {
			Processors map[string]struct {
				Labels []struct {
					Match struct{ Metrics []string }
					Drop  []string
				}
			}
		}
		require.NoError(t, yaml.Unmarshal([]byte(strings.ReplaceAll(text, "$$", "$")), &conf), text)
		rule := conf.Processors["cardinalitylimit"].Labels[0]
		for _, expression := range []string{rule.Match.Metrics[0], rule.Drop[0]} {
			whole := regexp.MustCompile("^(?:" + expression + ")$")
			require.True(t, whole.MatchString(name), "%s matches %q", expression, name)
			require.False(t, whole.MatchString(name+"x"))
		}
	}
}
