package line

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// examples reads testdata/examples.txt, which has a result and a line per example.
func examples(t testing.TB) (outcomes, lines []string) {
	content, err := os.ReadFile("testdata/examples.txt")
	require.NoError(t, err)
	for text := range strings.SplitSeq(strings.TrimSpace(string(content)), "\n") {
		if strings.HasPrefix(text, "#") {
			continue
		}
		outcome, in, found := strings.Cut(text, " ")
		require.True(t, found, text)
		outcomes, lines = append(outcomes, outcome), append(lines, in)
	}
	return outcomes, lines
}

func TestExamplesOfTheProtocol(t *testing.T) {
	outcomes, lines := examples(t)
	kinds := map[string]bool{}
	for i, in := range lines {
		var l Line
		outcome := Parse([]byte(in), &l, &testLimits).String()
		if outcome == OK.String() {
			outcome = l.Kind.String()
			kinds[outcome] = true
		}
		assert.Equal(t, outcomes[i], outcome, in)
	}
	assert.Len(t, kinds, int(Kinds)-1, "every kind but the invalid one")
}
