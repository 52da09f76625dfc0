package rebucket_test

import (
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/internal/rebucket"
)

func TestCacheKeepsTheLastUsed(t *testing.T) {
	c, built := rebucket.NewCache[string](2), 0
	get := func(key string) string {
		return c.Get([]byte(key), func() string { built++; return "value of " + key })
	}
	get("a")
	get("b")
	get("a") // b is now the least recently used
	get("c")
	require.Equal(t, 3, built)
	require.Equal(t, 2, c.Len())
	require.Equal(t, "value of a", get("a"))
	require.Equal(t, 3, built)
	require.Equal(t, "value of b", get("b"))
	require.Equal(t, 4, built)
}

func TestCacheConcurrently(t *testing.T) {
	c := rebucket.NewCache[int](16)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 5000 {
				k := i % 24
				if got := c.Get(strconv.AppendInt(nil, int64(k), 10), func() int { return k }); got != k {
					t.Errorf("got %d for %d", got, k)
				}
			}
		})
	}
	wg.Wait()
	require.Equal(t, 16, c.Len())
}

func TestAllocsCacheHit(t *testing.T) {
	c, key := rebucket.NewCache[int](4), []byte("a rather long key, longer than what fits on a stack buffer of 32 bytes")
	c.Get(key, func() int { return 1 })
	require.Zero(t, testing.AllocsPerRun(10, func() { c.Get(key, func() int { return len(key) }) }))
}
