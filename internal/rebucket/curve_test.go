package rebucket

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// For any widths and counts the slopes are in the range in which the cubic is monotone.
func TestSlopesAreWithinThree(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 100_000 {
		r := min(max(math.Exp(rng.NormFloat64()*10), 1/maxRatio), maxRatio)
		n, m := float64(rng.Uint64()>>rng.IntN(64)+1), float64(rng.Uint64()>>rng.IntN(64))
		for _, s := range []float64{slope(r, n, m), endSlope(r, n, m)} {
			if !(s >= 0 && s <= 3+1e-12) {
				t.Fatalf("slope %v of ratio %v, counts %v and %v", s, r, n, m)
			}
		}
		require.InDelta(t, 1, slope(r, n, n*r), 1e-9) // equal densities
		require.InDelta(t, 1, endSlope(r, n, n*r), 1e-9)
	}
}

func TestCubicIsMonotone(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	for range 2000 {
		left, right := 3*rng.Float64(), 3*rng.Float64()
		last := 0.0
		for i := range 101 {
			f := cubic(float64(i)/100, left, right)
			require.GreaterOrEqual(t, f, last-1e-15)
			last = f
		}
		require.InDelta(t, 1, last, 1e-15)
		require.Zero(t, cubic(0, left, right))
		x := rng.Float64()
		require.InDelta(t, x, cubic(x, 1, 1), 1e-15) // the straight line
	}
}

// hermite computes the interpolant in the papers' notation: nodes, divided differences, derivatives at the nodes, and a
// cubic between two nodes.
func hermite(x, f []float64, at float64) float64 {
	n := len(x) - 1
	h, delta := make([]float64, n), make([]float64, n)
	for i := range n {
		h[i] = x[i+1] - x[i]
		delta[i] = (f[i+1] - f[i]) / h[i]
	}
	end := func(h0, h1, d0, d1 float64) float64 {
		d := ((2*h0+h1)*d0 - h0*d1) / (h0 + h1)
		return max(d, 0) // differences are not negative
	}
	d := make([]float64, n+1)
	for i := 1; i < n; i++ {
		if delta[i-1] > 0 && delta[i] > 0 {
			w1, w2 := 2*h[i]+h[i-1], h[i]+2*h[i-1]
			d[i] = (w1 + w2) / (w1/delta[i-1] + w2/delta[i])
		}
	}
	if n == 1 {
		d[0], d[1] = delta[0], delta[0]
	} else {
		d[0] = end(h[0], h[1], delta[0], delta[1])
		d[n] = end(h[n-1], h[n-2], delta[n-1], delta[n-2])
	}
	i := min(max(sortedBefore(x, at), 0), n-1)
	s := at - x[i]
	c := (3*delta[i] - 2*d[i] - d[i+1]) / h[i]
	b := (d[i] - 2*delta[i] + d[i+1]) / (h[i] * h[i])
	return f[i] + s*(d[i]+s*(c+s*b))
}

// sortedBefore returns the last i with x[i] < v.
func sortedBefore(x []float64, v float64) int {
	i, _ := slices.BinarySearch(x, v)
	return i - 1
}

// TestPCHIPAgainstHermite compares Fit with the interpolant over all nodes: the logarithms of the bounds, with the
// minimum and the maximum as the outermost nodes. All bounds are positive, and every bucket has counts. The results
// differ by rounding and by the observations at the minimum and the maximum, which Fit does not spread.
func TestPCHIPAgainstHermite(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	compared := 0
	for range 5000 {
		bounds := make([]float64, 1+rng.IntN(12))
		for i := range bounds {
			bounds[i] = math.Exp(3 * rng.NormFloat64())
		}
		slices.Sort(bounds)
		counts := make([]uint64, len(bounds)+1)
		x, f := make([]float64, 0, len(bounds)+2), []float64{0}
		for i := range counts {
			counts[i] = 1_000_000 + rng.Uint64N(1<<rng.IntN(40))
			f = append(f, f[i]+float64(counts[i]))
		}
		// An additional empty bucket below makes the lower bound of the first one positive.
		bounds = append([]float64{bounds[0] / 1000}, bounds...)
		counts = append([]uint64{0}, counts...)
		r := Range{Min: bounds[1] / 7, Max: bounds[len(bounds)-1] * 5}
		x = append(x, math.Log(r.Min))
		for _, b := range bounds[1:] {
			x = append(x, math.Log(b))
		}
		x = append(x, math.Log(r.Max))

		target := make([]float64, 1+rng.IntN(20))
		for i := range target {
			target[i] = math.Exp(math.Log(r.Min) + rng.Float64()*(math.Log(r.Max)-math.Log(r.Min)))
		}
		slices.Sort(target)
		out := make([]uint64, len(target)+1)
		NewPlan(target, bounds, PCHIP).Fit(out, counts, r)
		var got uint64
		for i, b := range target {
			got += out[i]
			compared++
			require.InDelta(t, hermite(x, f, math.Log(b)), float64(got), 3+1e-6*f[len(f)-1])
		}
	}
	require.Greater(t, compared, 20000)
}
