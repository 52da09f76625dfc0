package rank

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/internal/budget"
)

// The points come in any order. They are ordered by the sums of their series, then by identity, then by time.
func TestOrdered(t *testing.T) {
	want := []Stranger{
		{Series: 7, Weight: 5, Time: 1, Point: 0},
		{Series: 7, Weight: 0, Time: 2, Point: 1},
		{Series: 3, Weight: 2, Time: 1, Point: 2},
		{Series: 3, Weight: 2, Time: 9, Point: 3},
		{Series: 4, Weight: 4, Time: 5, Point: 4},
		{Series: 1, Weight: 1, Time: 0, Point: 5},
	}
	rng := rand.New(rand.NewPCG(1, 1))
	var q Queue
	for range 20 {
		for _, i := range rng.Perm(len(want)) {
			require.True(t, q.Add(want[i]))
		}
		for i, s := range q.Ordered() {
			require.EqualValues(t, i, s.Point)
			require.InDelta(t, []int{5, 5, 4, 4, 4, 1}[i], s.Weight, 0)
		}
		q.Reset()
	}
	assert.Empty(t, q.Ordered())
}

func TestQueueIsBounded(t *testing.T) {
	var q Queue
	for range maxStrangers {
		require.True(t, q.Add(Stranger{}))
	}
	assert.False(t, q.Add(Stranger{}))
	q.Reset()
	assert.True(t, q.Add(Stranger{}))
}

func TestGrowth(t *testing.T) {
	b := budget.New(1 << 20)
	totals := NewTotals(b)
	const stream = 1 << 60
	assert.Zero(t, b.Used())
	assert.InDelta(t, 10, totals.Growth(stream, 10), 0, "not known")
	assert.EqualValues(t, totalsBytes, b.Used())
	assert.InDelta(t, 5, totals.Growth(stream, 15), 0)
	assert.InDelta(t, 0, totals.Growth(stream, 15), 0)
	assert.InDelta(t, 3, totals.Growth(stream, 3), 0, "began anew")
	assert.InDelta(t, 9, totals.Growth(stream+1, 9), 0, "takes the slot")
	assert.InDelta(t, 4, totals.Growth(stream, 4), 0)

	without := NewTotals(budget.New(totalsBytes - 1))
	assert.InDelta(t, 10, without.Growth(stream, 10), 0)
	assert.InDelta(t, 15, without.Growth(stream, 15), 0)
}

func TestFinite(t *testing.T) {
	for in, want := range map[float64]float64{1: 1, 0: 0, -1: 0, math.Inf(1): 0, math.Inf(-1): 0, math.MaxFloat64: math.MaxFloat64} {
		assert.InDelta(t, want, Finite(in), 0)
	}
	assert.Zero(t, Finite(math.NaN()))
}
