package convert

import (
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

// The cached attributes of previous points do not change an identity.
func TestPairs(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	text := func(n int) string {
		if k := rng.IntN(n); k > 0 {
			return strconv.Itoa(k)
		}
		return ""
	}
	var p pairs
	for range 5000 {
		m := pcommon.NewMap()
		for range rng.IntN(2 * len(p)) {
			if k := text(20); rng.IntN(3) > 0 {
				m.PutStr(k, text(3))
			} else {
				m.PutInt(k, rng.Int64N(3))
			}
		}
		require.Equal(t, identity.Attributes(m), p.sum(m))
		require.Equal(t, identity.Attributes(m), p.sum(m))
	}
}
