package language

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Every word is found in a sentence of its kind and not in the sentence that says the same well.
func TestWords(t *testing.T) {
	sentences := map[string]struct{ bad, good []string }{
		"but for": {
			[]string{"All keys but for one are optional."},
			[]string{"All keys are optional except for one.", "It is small, but forms a group."},
		},
		"of which":       {[]string{"Two limits, of which one folds."}, []string{"There are two limits. One folds."}},
		"of those":       {[]string{"The sum of those refused."}, []string{"The sum of the rejected series."}},
		"where there is": {[]string{"Where there is a log", "where there\n\tare logs"}, []string{"If a log exists"}},
		"where it is so": {[]string{"where it is so, the log drains"}, []string{"where it is sorted"}},
		"whoever":        {[]string{"Whoever reads it"}, []string{"A reader that loads it"}},
		"taken for":      {[]string{"It is taken for another."}, []string{"It counts as another."}},
		"it is X's":      {[]string{"it is the caller's", "It is Go's"}, []string{"The caller owns it.", "it is clear"}},
		"is told":        {[]string{"The client is told.", "It was told so."}, []string{"The client receives a message."}},
		"tells whether":  {[]string{"full tells whether it is full"}, []string{"full reports whether it is full"}},
		"all the same":   {[]string{"It may exist all the same."}, []string{"It may still exist."}},
		"what else":      {[]string{"and what else is there"}, []string{"and the other fields"}},
		"as it is":       {[]string{"The value passes as it is.", "kept as they are"}, []string{"The value passes unchanged.", "as it isolates"}},
		"hold": {
			[]string{"holds the number of series", "The rule is held.", "they hold it"},
			[]string{
				"The limit applies.", "the threshold", "mu is held", "holding the mutex", "it holds t.mu", "the lock must be held", "hold the big lock",
			},
		},
		"take": {
			[]string{"takes deltas", "what the page takes", "is taken by the reader", "take it"},
			[]string{
				"accepts deltas", "takes 5 s", "takes about 30 ns", "takes the lock", "It takes a few minutes.", "takes place", "takes t.mu",
				"taken up to 3 times", "a mistake", "takes longer",
			},
		},
		"let go": {[]string{"lets go of the oldest", "is let go"}, []string{"deletes the oldest"}},
		"a for per": {
			[]string{"500 a metric", "once a minute", "one of 20 lines a second", "500 attribute sets a metric", "3.5 us a line"},
			[]string{"500 per metric", "once per minute", "sends a metric", "is a metric", "of a second limit", "after 5 s. A request"},
		},
	}
	require.Len(t, sentences, len(Words))
	for _, word := range Words {
		t.Run(word.Name, func(t *testing.T) {
			assert.NotEmpty(t, word.Better)
			s, ok := sentences[word.Name]
			require.True(t, ok)
			require.NotEmpty(t, s.bad)
			require.NotEmpty(t, s.good)
			for _, bad := range s.bad {
				assert.Contains(t, wordsOf(passage{1, bad}), word.Name, "%s", bad)
			}
			for _, good := range s.good {
				assert.NotContains(t, wordsOf(passage{1, good}), word.Name, "%s", good)
			}
		})
	}
}

func wordsOf(p passage) []string {
	var out []string
	for _, f := range p.findings("x") {
		out = append(out, f.Word)
	}
	return out
}

func TestFindingSaysWhereAndHowBetter(t *testing.T) {
	findings := passage{7, "A log\nthat is told\nto drain"}.findings("a/b.md")
	require.Len(t, findings, 1)
	assert.Equal(t, `a/b.md:8: instead of "is told" write "X reports it to Y" or "Y learns"`, findings[0].String())
}
