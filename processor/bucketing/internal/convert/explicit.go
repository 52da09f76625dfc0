package convert

import (
	"fmt"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/rebucket"
)

// explicitInPlace rewrites explicit points with other bounds.
func (j *job) explicitInPlace(points pmetric.HistogramDataPointSlice) {
	points.RemoveIf(func(dp pmetric.HistogramDataPoint) bool {
		if dp.Flags().NoRecordedValue() {
			return j.refuse(NoRecordedValue, nil)
		}
		p, reason, err := j.planExplicit(dp)
		if p == nil {
			return j.refuse(reason, err)
		}
		counts, ok := j.apply(p, dp.Count())
		if !ok {
			return j.refuse(RankError, nil)
		}
		dp.BucketCounts().FromRaw(counts)
		dp.ExplicitBounds().FromRaw(p.bounds)
		j.converted(ExplicitLayout, ExplicitLayout)
		return false
	})
}

// toExponential moves explicit points to an exponential histogram.
func (j *job) toExponential(m pmetric.Metric, siblings pmetric.MetricSlice) {
	source := m.Histogram()
	points := source.DataPoints()
	target := pmetric.NewExponentialHistogram()
	target.SetAggregationTemporality(source.AggregationTemporality())
	target.DataPoints().EnsureCapacity(points.Len())

	points.RemoveIf(func(dp pmetric.HistogramDataPoint) bool {
		if dp.Flags().NoRecordedValue() {
			// The marker ends the series that this stream's points went to.
			j.refuse(NoRecordedValue, nil)
			moveToExponential(dp, target.DataPoints().AppendEmpty())
			return true
		}
		p, reason, err := j.planExplicit(dp)
		if p == nil {
			return j.refuse(reason, err)
		}
		counts, ok := j.apply(p, dp.Count())
		if !ok {
			return j.refuse(RankError, nil)
		}
		to := target.DataPoints().AppendEmpty()
		moveToExponential(dp, to)
		setLayout(to, p.layout, counts)
		j.converted(ExplicitLayout, ExponentialLayout)
		return true
	})
	switch {
	case points.Len() == 0 && target.DataPoints().Len() > 0:
		target.MoveTo(m.SetEmptyExponentialHistogram())
	case target.DataPoints().Len() > 0:
		target.MoveTo(twin(m, siblings).SetEmptyExponentialHistogram())
	}
}

// planExplicit checks a point, loads its counts and finds its plan; without one, it
// says why. Points of a metric mostly have the bounds of the point before.
func (j *job) planExplicit(dp pmetric.HistogramDataPoint) (*plan, Reason, error) {
	s := j.scratch
	counts, bounds := dp.BucketCounts(), dp.ExplicitBounds()
	if counts.Len() == 0 && bounds.Len() == 0 {
		return nil, NoBuckets, nil
	}
	if counts.Len() != bounds.Len()+1 {
		return nil, Invalid, fmt.Errorf("%w: %d bounds with %d bucket counts", ErrInvalid, bounds.Len(), counts.Len())
	}
	var total uint64
	var overflow bool
	s.source, total, overflow = load(s.source, counts)
	if err := checkTotal(total, overflow, dp.Count()); err != nil {
		return nil, Invalid, err
	}
	if bounds.Len() == 0 {
		return nil, NoBuckets, nil
	}

	p := j.last
	if p == nil || !same(s.bounds, bounds) {
		s.bounds = s.bounds[:0]
		for i, n := 0, bounds.Len(); i < n; i++ {
			s.bounds = append(s.bounds, bounds.At(i))
		}
		p = j.converter.plans.explicit(s, j.rule, j.unit, s.bounds)
		j.last = p
	}
	if p.refused {
		return nil, p.reason, p.err
	}
	return p, 0, nil
}

func same(a []float64, b pcommon.Float64Slice) bool {
	if len(a) != b.Len() {
		return false
	}
	for i, v := range a {
		if v != b.At(i) {
			return false
		}
	}
	return true
}

// apply converts the loaded counts; the result is valid until the next call, and
// not ok where the error is more than the rule allows.
func (j *job) apply(p *plan, count uint64) (counts []uint64, ok bool) {
	s := j.scratch
	s.target = room(s.target, p.fromExplicit.Buckets())
	tally := p.fromExplicit.Apply(s.target, s.source)
	return s.target, j.accept(tally, count)
}

// moveToExponential moves what both types have in common; the exemplars and
// attributes are not copied.
func moveToExponential(from pmetric.HistogramDataPoint, to pmetric.ExponentialHistogramDataPoint) {
	from.Attributes().MoveTo(to.Attributes())
	from.Exemplars().MoveAndAppendTo(to.Exemplars())
	to.SetStartTimestamp(from.StartTimestamp())
	to.SetTimestamp(from.Timestamp())
	to.SetFlags(from.Flags())
	to.SetCount(from.Count())
	if from.HasSum() {
		to.SetSum(from.Sum())
	}
	if from.HasMin() {
		to.SetMin(from.Min())
	}
	if from.HasMax() {
		to.SetMax(from.Max())
	}
}

func setLayout(to pmetric.ExponentialHistogramDataPoint, layout rebucket.Layout, counts []uint64) {
	zero, positive, negative := layout.Split(counts)
	to.SetScale(layout.Scale)
	to.SetZeroThreshold(layout.ZeroThreshold)
	to.SetZeroCount(zero)
	setBuckets(to.Positive(), layout.PositiveOffset, positive)
	setBuckets(to.Negative(), layout.NegativeOffset, negative)
}

// setBuckets writes the run from the first to the last bucket with a count.
func setBuckets(to pmetric.ExponentialHistogramDataPointBuckets, offset int32, counts []uint64) {
	for len(counts) > 0 && counts[len(counts)-1] == 0 {
		counts = counts[:len(counts)-1]
	}
	for len(counts) > 0 && counts[0] == 0 {
		counts = counts[1:]
		offset++
	}
	if len(counts) == 0 {
		offset = 0
	}
	to.SetOffset(offset)
	to.BucketCounts().FromRaw(counts)
}
