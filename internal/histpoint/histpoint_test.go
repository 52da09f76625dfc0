package histpoint_test

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
	"github.com/otelcol-custom/otelcol-custom/internal/histpoint"
)

func explicitPoint(count uint64, bounds []float64, counts ...uint64) pmetric.HistogramDataPoint {
	p := pmetric.NewHistogramDataPoint()
	p.SetCount(count)
	p.ExplicitBounds().FromRaw(bounds)
	p.BucketCounts().FromRaw(counts)
	return p
}

func TestLoadExplicit(t *testing.T) {
	for _, tt := range []struct {
		name   string
		p      pmetric.HistogramDataPoint
		counts []uint64
		err    string
	}{
		{"count and sum only", explicitPoint(5, nil), []uint64{5}, ""},
		{"one bucket", explicitPoint(5, nil, 5), []uint64{5}, ""},
		{"two", explicitPoint(5, []float64{-1}, 2, 3), []uint64{2, 3}, ""},
		{"as many as there may be", explicitPoint(math.MaxUint64, []float64{0}, 1, math.MaxUint64-1), []uint64{1, math.MaxUint64 - 1}, ""},
		{"bounds without counts", explicitPoint(0, []float64{1}), nil, "1 bounds with 0 bucket counts"},
		{"as many counts as bounds", explicitPoint(1, []float64{1}, 1), nil, "1 bounds with 1 bucket counts"},
		{"count too high", explicitPoint(6, []float64{1}, 2, 3), nil, "bucket counts add up to 5, count is 6"},
		{"count of one bucket", explicitPoint(6, nil, 5), nil, "bucket counts add up to 5, count is 6"},
		{"overflow to the count", explicitPoint(4, []float64{1}, 5, math.MaxUint64), nil, "bucket counts exceed 64 bits"},
		{"NaN", explicitPoint(0, []float64{math.NaN()}, 0, 0), nil, "bounds[0] is NaN"},
		{"-Inf", explicitPoint(0, []float64{math.Inf(-1), 0}, 0, 0, 0), nil, "bounds[0] is -Inf"},
		{"Inf twice", explicitPoint(0, []float64{math.Inf(1), math.Inf(1)}, 0, 0, 0), nil, "bounds[0] is +Inf"},
		{"as many counts as bounds to Inf, and a count too high", explicitPoint(4, []float64{1, math.Inf(1)}, 1, 2), nil, "add up to 3, count is 4"},
		{"equal bounds", explicitPoint(0, []float64{0, 1, 1}, 0, 0, 0, 0), nil, "bounds[2] is 1 after 1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var h histpoint.Explicit
			_, err := histpoint.LoadExplicit(&h, tt.p)
			if tt.err != "" {
				require.ErrorIs(t, err, histpoint.ErrInvalid)
				require.ErrorContains(t, err, tt.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.p.Count(), h.Count)
			require.Equal(t, tt.counts, h.Counts)
			require.Len(t, h.Bounds, tt.p.ExplicitBounds().Len())

			to := pmetric.NewHistogramDataPoint()
			histpoint.StoreExplicit(to, &h)
			require.Equal(t, h.Count, to.Count())
			require.Equal(t, tt.counts, to.BucketCounts().AsRaw())
			require.Equal(t, tt.p.ExplicitBounds().AsRaw(), to.ExplicitBounds().AsRaw())
		})
	}
}

// A last bound of +Inf is removed, whether or not there is a count beyond it.
func TestLoadExplicitToInfinity(t *testing.T) {
	for _, p := range []pmetric.HistogramDataPoint{
		explicitPoint(6, []float64{1, math.Inf(1)}, 1, 2, 3),
		explicitPoint(6, []float64{1, math.Inf(1)}, 1, 5),
		explicitPoint(6, []float64{1}, 1, 5),
	} {
		var h histpoint.Explicit
		_, err := histpoint.LoadExplicit(&h, p)
		require.NoError(t, err)
		require.Equal(t, []float64{1}, h.Bounds)
		require.Equal(t, []uint64{1, 5}, h.Counts)
		require.Equal(t, p.ExplicitBounds().Len() > 1, h.Restated)
		same, err := histpoint.LoadExplicit(&h, p)
		require.NoError(t, err)
		require.True(t, same)
	}
	var h histpoint.Explicit
	_, err := histpoint.LoadExplicit(&h, explicitPoint(6, []float64{math.Inf(1)}, 6))
	require.NoError(t, err)
	require.Empty(t, h.Bounds)
	require.Equal(t, []uint64{6}, h.Counts)
}

// If only the count is wrong, the other fields are loaded, and the caller may correct the count.
func TestCountError(t *testing.T) {
	var wrong *histpoint.CountError
	var h histpoint.Explicit
	_, err := histpoint.LoadExplicit(&h, explicitPoint(6, []float64{1}, 2, 3))
	require.ErrorAs(t, err, &wrong)
	require.Equal(t, histpoint.CountError{Sum: 5, Count: 6}, *wrong)
	require.Equal(t, []uint64{2, 3}, h.Counts)

	e := new(expo.Histogram)
	require.ErrorAs(t, histpoint.LoadExponential(e, exponentialPoint(func(p pmetric.ExponentialHistogramDataPoint) { p.SetCount(1) })), &wrong)
	require.Equal(t, histpoint.CountError{Sum: 10, Count: 1}, *wrong)
	_, err = histpoint.LoadExplicit(&h, explicitPoint(6, []float64{2, 1}, 2, 3, 4))
	require.ErrorIs(t, err, histpoint.ErrInvalid)
	require.NotErrorAs(t, err, &wrong, "its bounds cannot be corrected")
}

// same reports that the bounds are those of the previous point, whether it was valid or not.
func TestLoadExplicitTellsOfSameBounds(t *testing.T) {
	var h histpoint.Explicit
	for i, tt := range []struct {
		p         pmetric.HistogramDataPoint
		same, bad bool
	}{
		{p: explicitPoint(3, []float64{1, 10}, 1, 1, 1)},
		{p: explicitPoint(6, []float64{1, 10}, 1, 2, 3), same: true},
		{p: explicitPoint(9, []float64{1, 10}, 1, 2, 3), same: true, bad: true}, // its count is wrong
		{p: explicitPoint(6, []float64{1, 10}, 1, 2, 3), same: true},
		{p: explicitPoint(6, []float64{1}, 3, 3)},
		{p: explicitPoint(6, []float64{10, 1}, 1, 2, 3), bad: true},
		{p: explicitPoint(6, []float64{10, 1}, 1, 2, 3), same: true, bad: true},
		{p: explicitPoint(6, []float64{1, math.NaN()}, 1, 2, 3), bad: true},
		{p: explicitPoint(6, []float64{1, math.NaN()}, 1, 2, 3), bad: true},
		{p: explicitPoint(6, nil)},
		{p: explicitPoint(6, []float64{1, 10}, 1, 2, 3)},
	} {
		same, err := histpoint.LoadExplicit(&h, tt.p)
		require.Equal(t, tt.same, same, "point %d", i)
		require.Equal(t, tt.bad, err != nil, "point %d", i)
	}
}

func exponentialPoint(change func(pmetric.ExponentialHistogramDataPoint)) pmetric.ExponentialHistogramDataPoint {
	p := pmetric.NewExponentialHistogramDataPoint()
	p.SetScale(3)
	p.SetZeroThreshold(0.5)
	p.SetZeroCount(1)
	p.Positive().SetOffset(-2)
	p.Positive().BucketCounts().FromRaw([]uint64{0, 2, 0, 3, 0})
	p.Negative().SetOffset(7)
	p.Negative().BucketCounts().FromRaw([]uint64{4})
	p.SetCount(10)
	change(p)
	return p
}

func TestLoadExponential(t *testing.T) {
	p := exponentialPoint(func(p pmetric.ExponentialHistogramDataPoint) {
		p.SetSum(2)
		p.SetMax(math.Inf(1)) // still valid
	})
	h := expo.New(2)
	require.NoError(t, histpoint.LoadExponential(h, p))
	require.Equal(t, []any{int32(3), 0.5, uint64(1), uint64(10)}, []any{h.Scale, h.ZeroThreshold, h.ZeroCount, h.Count})
	require.Equal(t, []float64{2, math.Inf(1), math.Inf(1)}, []float64{h.Sum, h.Min, h.Max})
	require.Equal(t, expo.Buckets{Offset: -2, Counts: []uint64{0, 2, 0, 3, 0}}, h.Positive)
	require.Equal(t, expo.Buckets{Offset: 7, Counts: []uint64{4}}, h.Negative)

	to := pmetric.NewExponentialHistogramDataPoint()
	histpoint.StoreExponential(to, h)
	histpoint.SetTotals(to, histpoint.TotalsOf(p))
	p.Positive().SetOffset(-1)
	p.Positive().BucketCounts().FromRaw([]uint64{2, 0, 3})
	require.Equal(t, p, to)

	for name, change := range map[string]func(pmetric.ExponentialHistogramDataPoint){
		"bucket counts add up to 10, count is 11": func(p pmetric.ExponentialHistogramDataPoint) { p.SetCount(11) },
		"bucket counts add up to 9, count is 10":  func(p pmetric.ExponentialHistogramDataPoint) { p.SetZeroCount(0) },
		"bucket counts exceed 64 bits":            func(p pmetric.ExponentialHistogramDataPoint) { p.SetZeroCount(math.MaxUint64) },
		"zero threshold is NaN":                   func(p pmetric.ExponentialHistogramDataPoint) { p.SetZeroThreshold(math.NaN()) },
		"zero threshold is -1":                    func(p pmetric.ExponentialHistogramDataPoint) { p.SetZeroThreshold(-1) },
		"zero threshold is +Inf":                  func(p pmetric.ExponentialHistogramDataPoint) { p.SetZeroThreshold(math.Inf(1)) },
		"bucket index 2147483648 exceeds 32 bits": func(p pmetric.ExponentialHistogramDataPoint) {
			p.Negative().SetOffset(math.MaxInt32)
			p.Negative().BucketCounts().FromRaw([]uint64{4, 0})
		},
	} {
		err := histpoint.LoadExponential(h, exponentialPoint(change))
		require.ErrorIs(t, err, histpoint.ErrInvalid)
		require.ErrorContains(t, err, name)
	}
	require.NoError(t, histpoint.LoadExponential(h, exponentialPoint(func(p pmetric.ExponentialHistogramDataPoint) {
		p.Negative().SetOffset(math.MaxInt32)
	})))
}

// A sum equals that of big integers, and is an error if and only if it exceeds 64 bits.
func TestTotalsAgainstBig(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	var h histpoint.Explicit
	over := 0
	for range 20000 {
		counts := make([]uint64, rng.IntN(40)+1)
		sum := new(big.Int)
		size := rng.IntN(65)
		for i := range counts {
			counts[i] = rng.Uint64() >> size
			sum.Add(sum, new(big.Int).SetUint64(counts[i]))
		}
		bounds := make([]float64, len(counts)-1)
		for i := range bounds {
			bounds[i] = float64(i)
		}
		p := explicitPoint(new(big.Int).And(sum, new(big.Int).SetUint64(math.MaxUint64)).Uint64(), bounds, counts...)
		_, err := histpoint.LoadExplicit(&h, p)
		require.Equal(t, sum.IsUint64(), err == nil)
		if err != nil {
			over++
		}
	}
	require.Greater(t, over, 100)
}

func TestMoveCommon(t *testing.T) {
	fill := func(p pmetric.ExponentialHistogramDataPoint) {
		p.Attributes().PutStr("route", "/cart")
		p.Exemplars().AppendEmpty().SetDoubleValue(3)
		p.SetStartTimestamp(1)
		p.SetTimestamp(2)
		p.SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
		p.SetCount(4)
		p.SetSum(math.Copysign(0, -1))
		p.SetMin(math.Inf(-1))
		p.SetMax(7)
	}
	want, from := pmetric.NewExponentialHistogramDataPoint(), pmetric.NewExponentialHistogramDataPoint()
	fill(want)
	fill(from)
	between, to := pmetric.NewHistogramDataPoint(), pmetric.NewExponentialHistogramDataPoint()
	histpoint.MoveCommon(from, between)
	require.Zero(t, from.Attributes().Len()+from.Exemplars().Len())
	histpoint.MoveCommon(between, to)
	require.Equal(t, want, to)
	require.Equal(t, math.Float64bits(want.Sum()), math.Float64bits(to.Sum()))

	// Absent totals stay absent.
	to = pmetric.NewExponentialHistogramDataPoint()
	histpoint.MoveCommon(pmetric.NewHistogramDataPoint(), to)
	require.False(t, to.HasSum() || to.HasMin() || to.HasMax())
}

func TestTotals(t *testing.T) {
	p := pmetric.NewHistogramDataPoint()
	absent := histpoint.TotalsOf(p)
	require.Equal(t, histpoint.Totals{Min: math.Inf(1), Max: math.Inf(-1)}, absent)
	require.True(t, absent.Finite())

	p.SetSum(1)
	p.SetMin(2)
	p.SetMax(3)
	all := histpoint.TotalsOf(p)
	require.Equal(t, histpoint.Totals{Sum: 1, Min: 2, Max: 3, HasSum: true, HasMin: true, HasMax: true}, all)
	require.True(t, all.Finite())
	for _, set := range []func(float64){p.SetSum, p.SetMin, p.SetMax} {
		for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
			histpoint.SetTotals(p, all)
			set(v)
			require.False(t, histpoint.TotalsOf(p).Finite())
		}
	}
	histpoint.SetTotals(p, absent)
	require.False(t, p.HasSum() || p.HasMin() || p.HasMax())
}

func TestAllocsLoad(t *testing.T) {
	var h histpoint.Explicit
	var e expo.Histogram
	p, q := explicitPoint(6, []float64{1, 2}, 1, 2, 3), exponentialPoint(func(pmetric.ExponentialHistogramDataPoint) {})
	load := func() {
		_, errExplicit := histpoint.LoadExplicit(&h, p)
		if errExponential := histpoint.LoadExponential(&e, q); errExplicit != nil || errExponential != nil {
			panic("valid points were refused")
		}
		histpoint.StoreExplicit(p, &h)
		histpoint.StoreExponential(q, &e)
	}
	load()
	require.Zero(t, testing.AllocsPerRun(10, load))
}
