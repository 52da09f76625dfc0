package segment

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A start and a view report a segment that was emptied or cut while no process used the log, and a missing segment that the
// cursor points to. Gaps in the numbers are normal.
func TestSegmentsThatAreNotWhatTheCursorSays(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(t *testing.T, names []string)
		want  []DamageKind
	}{
		"nothing": {func(*testing.T, []string) {}, nil},
		"a gap":   {func(t *testing.T, names []string) { require.NoError(t, os.Remove(names[1])) }, nil},
		"emptied": {func(t *testing.T, names []string) { require.NoError(t, os.Truncate(names[1], 0)) }, []DamageKind{Emptied}},
		"cut":     {func(t *testing.T, names []string) { require.NoError(t, os.Truncate(names[0], 3)) }, []DamageKind{Emptied}},
		"missing": {func(t *testing.T, names []string) { require.NoError(t, os.Remove(names[0])) }, []DamageKind{Missing}},
	} {
		t.Run(name, func(t *testing.T) {
			opt := options(t.TempDir())
			opt.MaxSegmentBytes = 60
			l := open(t, opt)
			appendAll(t, l, numbered(9)...)
			e, _, err := l.Next()
			require.NoError(t, err)
			require.NoError(t, l.Done(e))
			require.NoError(t, l.Close())
			c.spoil(t, files(t, opt.Dir))

			v, err := ReadView(OS{}, opt.Dir, testKind)
			require.NoError(t, err)
			var seen, reported []DamageKind
			for _, d := range v.Damage {
				seen = append(seen, d.Kind)
			}
			assert.Equal(t, c.want, seen)
			opt.Budget = &Budget{Max: 1 << 30}
			opt.OnDamage = func(d Damage) { reported = append(reported, d.Kind) }
			l = open(t, opt)
			assert.Equal(t, c.want, reported)
			require.NoError(t, l.Close())
		})
	}
}
