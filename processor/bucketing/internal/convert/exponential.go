package convert

import (
	"math/bits"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
	"github.com/otelcol-custom/otelcol-custom/internal/rebucket"
)

// toExplicit moves exponential points to an explicit histogram.
func (j *job) toExplicit(m pmetric.Metric, siblings pmetric.MetricSlice) {
	source := m.ExponentialHistogram()
	points := source.DataPoints()
	target := pmetric.NewHistogram()
	target.SetAggregationTemporality(source.AggregationTemporality())
	target.DataPoints().EnsureCapacity(points.Len())

	var last exponentialPlan
	points.RemoveIf(func(dp pmetric.ExponentialHistogramDataPoint) bool {
		if dp.Flags().NoRecordedValue() {
			// The marker ends the series that this stream's points went to.
			j.refuse(NoRecordedValue, nil)
			moveToExplicit(dp, target.DataPoints().AppendEmpty())
			return true
		}
		if err := j.loadExponential(dp); err != nil {
			return j.refuse(Invalid, err)
		}
		p := j.planExponential(dp, &last)
		if p.refused {
			return j.refuse(p.reason, p.err)
		}
		s := j.scratch
		s.target = room(s.target, p.fromExponential.Buckets())
		tally := p.fromExponential.Apply(s.target, dp.ZeroCount(), s.positive, s.negative)
		if !j.accept(tally, dp.Count()) {
			return j.refuse(RankError, nil)
		}
		to := target.DataPoints().AppendEmpty()
		moveToExplicit(dp, to)
		to.BucketCounts().FromRaw(s.target)
		to.ExplicitBounds().FromRaw(p.bounds)
		j.converted(ExponentialLayout, ExplicitLayout)
		return true
	})
	switch {
	case points.Len() == 0 && target.DataPoints().Len() > 0:
		target.MoveTo(m.SetEmptyHistogram())
	case target.DataPoints().Len() > 0:
		target.MoveTo(twin(m, siblings).SetEmptyHistogram())
	}
}

// exponentialPlan is a plan and what it was found for.
type exponentialPlan struct {
	plan          *plan
	scale         int32
	zeroThreshold float64
}

// planExponential brings the loaded buckets to the scale they are split at and
// finds their plan.
func (j *job) planExponential(dp pmetric.ExponentialHistogramDataPoint, last *exponentialPlan) *plan {
	scale := dp.Scale()
	if j.steady && scale < j.rule.WorkingScale {
		j.report.BelowWorkingScale++
	}
	to := expo.MaxScale
	if j.steady {
		to = j.rule.WorkingScale
	}
	if scale > to {
		by := int32(min(int64(scale)-int64(to), 63))
		j.scratch.positive.Downscale(by)
		j.scratch.negative.Downscale(by)
		scale = to
	}
	if threshold := dp.ZeroThreshold(); last.plan == nil || last.scale != scale || last.zeroThreshold != threshold {
		*last = exponentialPlan{j.converter.plans.exponential(j.scratch, j.rule, j.unit, scale, threshold), scale, threshold}
	}
	return last.plan
}

// exponentialInPlace lowers scale and size, and widens the zero bucket, of
// exponential points.
func (j *job) exponentialInPlace(points pmetric.ExponentialHistogramDataPointSlice) {
	points.RemoveIf(func(dp pmetric.ExponentialHistogramDataPoint) bool {
		if dp.Flags().NoRecordedValue() {
			return j.refuse(NoRecordedValue, nil)
		}
		if err := j.loadExponential(dp); err != nil {
			return j.refuse(Invalid, err)
		}
		r := reducer{dp.Scale(), dp.ZeroThreshold(), dp.ZeroCount(), &j.scratch.positive, &j.scratch.negative}
		if e := j.rule.Exponential; e != nil {
			r.toScale(e.MaxScale)
			r.widenZero(e.ZeroThreshold)
			r.toSize(e.MaxSize)
		} else {
			r.toScale(expo.MaxScale)
			r.toTotal(j.rule.Limit.MaxBuckets - 1)
		}
		dp.SetScale(r.scale)
		dp.SetZeroThreshold(r.zeroThreshold)
		dp.SetZeroCount(r.zeroCount)
		setBuckets(dp.Positive(), r.positive.Offset, r.positive.Counts)
		setBuckets(dp.Negative(), r.negative.Offset, r.negative.Counts)
		j.accept(rebucket.Tally{}, dp.Count())
		j.converted(ExponentialLayout, ExponentialLayout)
		return false
	})
}

// reducer lowers the resolution of exponential buckets; every step is exact.
type reducer struct {
	scale              int32
	zeroThreshold      float64
	zeroCount          uint64
	positive, negative *expo.Buckets
}

func (r *reducer) downscale(by int64) {
	if by <= 0 {
		return
	}
	r.scale = int32(int64(r.scale) - by)
	r.positive.Downscale(int32(min(by, 63)))
	r.negative.Downscale(int32(min(by, 63)))
}

func (r *reducer) toScale(scale int32) {
	r.downscale(int64(r.scale) - int64(scale))
}

// toSize lowers the scale until neither sign has more than size buckets between
// its first and last count.
func (r *reducer) toSize(size int) {
	r.downscale(int64(max(shift(r.positive, size), shift(r.negative, size))))
}

// toTotal lowers the scale until both signs together have at most size buckets.
// From scale -11 on they have at most two each.
func (r *reducer) toTotal(size int) {
	r.positive.Trim()
	r.negative.Trim()
	for len(r.positive.Counts)+len(r.negative.Counts) > max(size, 4) {
		r.downscale(1)
	}
}

// widenZero raises the zero threshold to the lowest bucket bound at or above
// threshold, whatever is in the buckets below: for a stream in which they fill
// later it must be the same from the start.
func (r *reducer) widenZero(threshold float64) {
	if threshold <= r.zeroThreshold {
		return
	}
	r.zeroThreshold = rebucket.RaiseToBound(r.scale, threshold)
	cut := int64(expo.Index(r.scale, r.zeroThreshold))
	r.zeroCount += removeUpTo(r.positive, cut) + removeUpTo(r.negative, cut)
}

// removeUpTo empties the buckets up to and including an index and returns what
// they held.
func removeUpTo(b *expo.Buckets, index int64) (removed uint64) {
	n := min(max(index-int64(b.Offset)+1, 0), int64(len(b.Counts)))
	for i, c := range b.Counts[:n] {
		removed += c
		b.Counts[i] = 0
	}
	b.Trim()
	return removed
}

func shift(b *expo.Buckets, size int) int32 {
	b.Trim()
	if len(b.Counts) == 0 {
		return 0
	}
	return expo.ShiftToFit(int64(b.Offset), int64(b.Offset)+int64(len(b.Counts))-1, size)
}

// loadExponential checks a point and loads its buckets.
func (j *job) loadExponential(dp pmetric.ExponentialHistogramDataPoint) error {
	if err := checkExponential(dp); err != nil {
		return err
	}
	s := j.scratch
	positive, p, overP := load(s.positive.Counts, dp.Positive().BucketCounts())
	negative, n, overN := load(s.negative.Counts, dp.Negative().BucketCounts())
	s.positive = expo.Buckets{Offset: dp.Positive().Offset(), Counts: positive}
	s.negative = expo.Buckets{Offset: dp.Negative().Offset(), Counts: negative}
	total, carry := bits.Add64(p, n, 0)
	total, carry2 := bits.Add64(total, dp.ZeroCount(), 0)
	return checkTotal(total, overP || overN || carry+carry2 != 0, dp.Count())
}

// moveToExplicit moves what both types have in common; the exemplars and
// attributes are not copied.
func moveToExplicit(from pmetric.ExponentialHistogramDataPoint, to pmetric.HistogramDataPoint) {
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
