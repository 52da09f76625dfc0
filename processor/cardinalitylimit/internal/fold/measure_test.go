package fold

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
)

func TestNumbers(t *testing.T) {
	integer := func(i int64) *number { return &number{i: i} }
	double := func(f float64) *number { return &number{double: true, f: f} }
	for name, c := range map[string]struct {
		a, b, want *number
		saturated  int64
	}{
		"integers":         {integer(2), integer(3), integer(5), 0},
		"zero":             {integer(2), integer(0), integer(2), 0},
		"negative":         {integer(2), integer(-3), integer(-1), 0},
		"integer + double": {integer(2), double(0.5), double(2.5), 0},
		"double + integer": {double(0.5), integer(2), double(2.5), 0},
		"saturates":        {integer(math.MaxInt64), integer(1), integer(math.MaxInt64), 1},
		"saturates below":  {integer(math.MinInt64), integer(-1), integer(math.MinInt64), 1},
	} {
		t.Run(name, func(t *testing.T) {
			var n Stats
			c.a.add(c.b, &n)
			require.Equal(t, c.want, c.a)
			require.Equal(t, c.saturated, n[StatSaturated])
		})
	}
	for name, c := range map[string]struct {
		now, before *number
		want        measure
		rel         relation
	}{
		"grown":           {integer(5), integer(3), integer(2), grown},
		"equal":           {integer(5), integer(5), integer(0), grown},
		"lower":           {integer(4), integer(5), nil, reset},
		"double":          {double(4.5), integer(4), double(0.5), grown},
		"lower double":    {double(3.5), integer(4), nil, reset},
		"beyond an int64": {integer(math.MaxInt64), integer(math.MinInt64), integer(math.MaxInt64), grown},
	} {
		t.Run(name, func(t *testing.T) {
			d, rel := c.now.since(c.before)
			require.Equal(t, c.rel, rel)
			require.Equal(t, c.want, d)
		})
	}
}

// Sums past the range of their type stay at its end and are counted. No NaN and no infinity leaves.
func TestFoldingStaysFinite(t *testing.T) {
	const most = math.MaxFloat64
	withSum := map[string]func(float64) measure{
		"number":    func(f float64) measure { return &number{double: true, f: f} },
		"histogram": func(f float64) measure { return &histogram{count: 1, hasSum: true, sum: f, counts: []uint64{1}} },
		"exponential": func(f float64) measure {
			h := expo.New(maxBuckets)
			h.Count, h.ZeroCount, h.Sum = 1, 1, f
			return &exponential{Histogram: h, hasSum: true}
		},
	}
	sum := func(m measure) float64 {
		switch m := m.(type) {
		case *number:
			return m.f
		case *histogram:
			return m.sum
		}
		return m.(*exponential).Sum
	}
	for name, measureOf := range withSum {
		t.Run(name, func(t *testing.T) {
			var n Stats
			m := measureOf(most)
			m.add(measureOf(most), &n)
			m.add(measureOf(most), &n)
			require.InDelta(t, most, sum(m), 0)
			require.EqualValues(t, 2, n[StatSaturated])
			m.add(measureOf(-most), &n)
			require.Zero(t, sum(m))
			m.add(measureOf(-most), &n)
			m.add(measureOf(-most), &n)
			require.InDelta(t, -most, sum(m), 0)
			require.EqualValues(t, 3, n[StatSaturated])

			d, rel := measureOf(most).since(measureOf(-most))
			require.Equal(t, grown, rel)
			require.InDelta(t, most, sum(d), 0)
		})
	}
	d, rel := withSum["histogram"](-most).since(withSum["histogram"](most))
	require.Equal(t, grown, rel)
	require.InDelta(t, -most, sum(d), 0)
}

func explicit(bounds []float64, counts ...uint64) *histogram {
	h := &histogram{hasSum: true, min: math.Inf(1), max: math.Inf(-1), bounds: bounds, counts: counts}
	for _, c := range counts {
		h.count += c
	}
	return h
}

func TestHistogramsOfOtherBoundsTakeTheFirstLayout(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 500 {
		layout := func() (bounds []float64, counts []uint64) {
			at := 1.0
			for range rng.IntN(8) {
				at += float64(1 + rng.IntN(50))
				bounds = append(bounds, at)
			}
			for range len(bounds) + 1 {
				counts = append(counts, uint64(rng.IntN(100)))
			}
			return bounds, counts
		}
		b1, c1 := layout()
		b2, c2 := layout()
		a, b := explicit(b1, c1...), explicit(b2, c2...)
		want := a.count + b.count
		var n Stats
		a.add(b, &n)
		total := uint64(0)
		for _, c := range a.counts {
			total += c
		}
		require.Equal(t, want, total)
		require.Equal(t, want, a.count)
		if len(b1) > 0 {
			require.Equal(t, b1, a.bounds)
		}
	}
	var n Stats
	a := explicit([]float64{10, 100}, 1, 2, 3)
	a.add(explicit([]float64{100}, 10, 20), &n)
	require.EqualValues(t, 1, n[StatRebucketed])
	require.EqualValues(t, 3+20, a.counts[2], "what bounds share is exact")
	a.add(explicit([]float64{10, 100}, 1, 1, 1), &n)
	require.EqualValues(t, 1, n[StatRebucketed])
}

func TestHistogramSince(t *testing.T) {
	bounds := []float64{1, 2}
	d, rel := explicit(bounds, 3, 4, 5).since(explicit(bounds, 1, 4, 0))
	require.Equal(t, grown, rel)
	require.Equal(t, []uint64{2, 0, 5}, d.(*histogram).counts)
	require.EqualValues(t, 7, d.(*histogram).count)
	_, rel = explicit(bounds, 3, 4, 5).since(explicit(bounds, 4, 0, 0))
	require.Equal(t, reset, rel, "a bucket is lower, the count is not")
	_, rel = explicit(bounds, 3, 4, 5).since(explicit([]float64{1, 3}, 9, 3, 1))
	require.Equal(t, reset, rel)
}

// Values with other bounds are compared at the bounds that both have. Count and sum always advance, and the buckets add up to
// the count.
func TestHistogramSinceOtherBounds(t *testing.T) {
	for name, tt := range map[string]struct {
		now, before *histogram
		bounds      []float64
		counts      []uint64
	}{
		"one shared":       {explicit([]float64{1, 2}, 3, 4, 5), explicit([]float64{1, 3}, 1, 1, 1), []float64{1}, []uint64{2, 7}},
		"finer":            {explicit([]float64{1, 2, 3}, 3, 4, 5, 6), explicit([]float64{2}, 5, 6), []float64{2}, []uint64{2, 5}},
		"coarser":          {explicit([]float64{2}, 5, 6), explicit([]float64{1, 2, 3}, 1, 1, 1, 1), []float64{2}, []uint64{3, 4}},
		"none shared":      {explicit([]float64{2}, 5, 6), explicit([]float64{1}, 1, 1), nil, []uint64{9}},
		"none at all":      {explicit(nil, 11), explicit([]float64{1}, 1, 1), nil, []uint64{9}},
		"a lower bucket":   {explicit([]float64{1, 2}, 0, 9, 5), explicit([]float64{1}, 4, 2), []float64{1}, []uint64{0, 8}},
		"a lower last one": {explicit([]float64{1, 2}, 9, 0, 1), explicit([]float64{1}, 4, 2), []float64{1}, []uint64{4, 0}},
	} {
		d, rel := tt.now.since(tt.before)
		require.Equal(t, grown, rel, name)
		h := d.(*histogram)
		require.Equal(t, tt.bounds, h.bounds, name)
		require.Equal(t, tt.counts, h.counts, name)
		require.Equal(t, tt.now.count-tt.before.count, h.count, name)
	}
}

// A restated value is the value before, with some observations in other buckets, plus growth. The computed growth is the true
// growth in total.
func TestRestatedAddsUp(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 2))
	for range 2000 {
		before, now := &exponential{Histogram: expo.New(maxBuckets)}, &exponential{Histogram: expo.New(maxBuckets)}
		for range rng.IntN(20) {
			v := math.Exp(rng.NormFloat64()*4) * float64(1-2*rng.IntN(2))
			before.Record(v, 1)
			now.Record(v*math.Exp(rng.NormFloat64()/4), 1)
		}
		more := rng.IntN(10)
		for range more {
			now.Record(math.Exp(rng.NormFloat64()*4), 1)
		}
		m, rel := now.restated(before)
		d := m.(*exponential)
		require.Equal(t, grown, rel)
		require.EqualValues(t, more, d.Count)
		require.EqualValues(t, more, d.ZeroCount+d.Positive.Total()+d.Negative.Total())
		require.InDelta(t, now.Sum-before.Sum, d.Sum, 0)
	}
}

// If no stream continues with its layout, the value begins anew, although no bucket is lower.
func TestExponentialLayoutThatBeginsAnew(t *testing.T) {
	at := func(scale int32, threshold float64) *exponential {
		h := expo.New(maxBuckets)
		h.Scale, h.ZeroThreshold = scale, threshold
		return &exponential{Histogram: h}
	}
	before := at(2, 0.1)
	for _, now := range []*exponential{at(3, 0.1), at(2, 0.01)} {
		_, rel := now.since(before)
		require.Equal(t, reset, rel)
		_, rel = before.since(now)
		require.Equal(t, grown, rel)
	}
}

// Differences over falling scales and widening zero thresholds add up to the whole value.
func TestExponentialDifferencesAddUp(t *testing.T) {
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 9))
		stream := &exponential{Histogram: expo.New(10 + rng.IntN(60)), hasSum: true}
		sum := &exponential{Histogram: expo.New(maxBuckets), hasSum: true}
		last := stream.clone()
		var n Stats
		for range 40 {
			for range rng.IntN(5) {
				v := math.Round(math.Exp(rng.NormFloat64() * 5))
				if rng.IntN(4) == 0 {
					v = -v
				}
				stream.Record(v, 1)
			}
			if rng.IntN(15) == 0 {
				stream.Merge(&expo.Histogram{Scale: 3, ZeroThreshold: stream.ZeroThreshold*2 + 0.01, Min: math.Inf(1), Max: math.Inf(-1)})
			}
			now := stream.clone()
			d, rel := now.since(last)
			require.Equal(t, grown, rel)
			require.LessOrEqual(t, len(d.(*exponential).Positive.Counts), maxBuckets)
			sum.add(d, &n)
			last = now
		}
		require.Equal(t, stream.Count, sum.Count)
		require.InDelta(t, stream.Sum, sum.Sum, 0)
		require.Equal(t, sum.Count, sum.ZeroCount+sum.Positive.Total()+sum.Negative.Total())
	}
}

func TestExponentialReset(t *testing.T) {
	before, now := &exponential{Histogram: expo.New(20)}, &exponential{Histogram: expo.New(20)}
	before.Record(4, 2)
	now.Record(100, 3)
	_, rel := now.since(before)
	require.Equal(t, reset, rel)
	_, rel = before.since(now)
	require.Equal(t, reset, rel)
}

func TestMalformedIsRefused(t *testing.T) {
	h := pmetric.NewHistogramDataPoint()
	h.SetCount(3)
	_, n := ReadHistogram(h)
	require.Equal(t, Readable, n, "count alone is valid")
	for name, edit := range map[string]func(pmetric.HistogramDataPoint){
		"count": func(p pmetric.HistogramDataPoint) {
			p.ExplicitBounds().FromRaw([]float64{1})
			p.BucketCounts().FromRaw([]uint64{1, 1})
		},
		"lengths": func(p pmetric.HistogramDataPoint) {
			p.ExplicitBounds().FromRaw([]float64{1})
			p.BucketCounts().FromRaw([]uint64{3})
		},
		"decreasing": func(p pmetric.HistogramDataPoint) {
			p.ExplicitBounds().FromRaw([]float64{2, 1})
			p.BucketCounts().FromRaw([]uint64{1, 1, 1})
		},
		"infinite": func(p pmetric.HistogramDataPoint) {
			p.ExplicitBounds().FromRaw([]float64{math.Inf(-1)})
			p.BucketCounts().FromRaw([]uint64{1, 2})
		},
	} {
		p := pmetric.NewHistogramDataPoint()
		p.SetCount(3)
		edit(p)
		_, n := ReadHistogram(p)
		require.Equal(t, StatMalformed, n, name)
	}
	e := pmetric.NewExponentialHistogramDataPoint()
	e.SetCount(1)
	_, n = ReadExponential(e)
	require.Equal(t, StatMalformed, n)
	e.SetZeroCount(1)
	_, n = ReadExponential(e)
	require.Equal(t, Readable, n)
}

// The quantiles of a whole summary are not those of a part of it.
func TestSummaryKeepsOnlyItsOwnQuantiles(t *testing.T) {
	for name, c := range map[string]struct {
		offset, quantiles int
	}{"whole": {0, 1}, "part": {3, 0}} {
		p := pmetric.NewSummaryDataPoint()
		p.SetCount(5)
		p.SetSum(50)
		p.QuantileValues().AppendEmpty().SetQuantile(0.99)
		v, n := ReadSummary(p)
		require.Equal(t, Readable, n)
		before := pmetric.NewSummaryDataPoint()
		before.SetCount(uint64(c.offset))
		before.SetSum(float64(10 * c.offset))
		offset, _ := ReadSummary(before)
		d, rel := v.since(offset.measure)
		require.Equal(t, grown, rel)
		WriteSummary(Value{d}, p)
		require.EqualValues(t, 5-c.offset, p.Count(), name)
		require.Equal(t, c.quantiles, p.QuantileValues().Len(), name)
	}
}

// A sum that is not finite is left out. Counts and buckets stay.
func TestNaNSumIsLeftOut(t *testing.T) {
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		p := pmetric.NewHistogramDataPoint()
		p.SetCount(3)
		p.SetSum(bad)
		p.SetMin(bad)
		p.SetMax(7)
		p.ExplicitBounds().FromRaw([]float64{1, math.Inf(1)}) // a last bound of +Inf is ignored
		p.BucketCounts().FromRaw([]uint64{1, 2, 0})
		v, n := ReadHistogram(p)
		require.Equal(t, Readable, n)
		to := pmetric.NewHistogramDataPoint()
		WriteHistogram(v, to)
		require.Equal(t, []float64{1}, to.ExplicitBounds().AsRaw())
		require.Equal(t, []uint64{1, 2}, to.BucketCounts().AsRaw())
		require.False(t, to.HasSum() || to.HasMin())
		require.InDelta(t, 7, to.Max(), 0)

		e := pmetric.NewExponentialHistogramDataPoint()
		e.SetCount(3)
		e.SetSum(bad)
		e.SetZeroCount(3)
		v, n = ReadExponential(e)
		require.Equal(t, Readable, n)
		out := pmetric.NewExponentialHistogramDataPoint()
		WriteExponential(v, out)
		require.EqualValues(t, 3, out.ZeroCount())
		require.False(t, out.HasSum())
	}
}

// Histograms without buckets, first or later, do not change the buckets of the others. The buckets add up to the count, and
// none decreases.
func TestHistogramsWithoutBuckets(t *testing.T) {
	var n Stats
	first := explicit(nil, 5)
	first.add(explicit([]float64{1, 2}, 1, 2, 3), &n)
	require.Equal(t, []float64{1, 2}, first.bounds)
	require.Equal(t, []uint64{1, 2, 8}, first.counts)
	first.add(explicit(nil, 4), &n)
	first.add(explicit([]float64{1, 2}, 1, 0, 0), &n)
	require.Equal(t, []uint64{2, 2, 12}, first.counts)
	require.EqualValues(t, 16, first.count)
	require.Zero(t, n)
}
