package histpoint

import (
	"fmt"
	"math"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
)

// LoadExponential copies a point to h, to merge h into another histogram or to reduce it. h gets as many buckets as the
// point has, without regard to its maximum size. Loading reuses the memory of its slices. An error wraps [ErrInvalid],
// and h must not be used then, unless the error is a [CountError].
func LoadExponential(h *expo.Histogram, p pmetric.ExponentialHistogramDataPoint) error {
	t := TotalsOf(p)
	h.Scale, h.ZeroThreshold, h.ZeroCount = p.Scale(), p.ZeroThreshold(), p.ZeroCount()
	h.Count, h.Sum, h.Min, h.Max = p.Count(), t.Sum, t.Min, t.Max
	if !(h.ZeroThreshold >= 0) || math.IsInf(h.ZeroThreshold, 0) {
		return fmt.Errorf("%w: zero threshold is %v", ErrInvalid, h.ZeroThreshold)
	}
	var total total
	total.add(h.ZeroCount)
	if err := loadBuckets(&h.Positive, p.Positive(), &total); err != nil {
		return err
	}
	if err := loadBuckets(&h.Negative, p.Negative(), &total); err != nil {
		return err
	}
	return total.check(h.Count)
}

func loadBuckets(to *expo.Buckets, from pmetric.ExponentialHistogramDataPointBuckets, total *total) error {
	to.Offset = from.Offset()
	to.Counts = total.load(to.Counts, from.BucketCounts())
	if last := int64(to.Offset) + int64(len(to.Counts)) - 1; last > math.MaxInt32 {
		return fmt.Errorf("%w: bucket index %d exceeds 32 bits", ErrInvalid, last)
	}
	return nil
}

// StoreExponential copies layout, counts and count of h to a point, without empty buckets at the ends. It does not change
// sum, minimum and maximum; see [SetTotals].
func StoreExponential(p pmetric.ExponentialHistogramDataPoint, h *expo.Histogram) {
	p.SetScale(h.Scale)
	p.SetZeroThreshold(h.ZeroThreshold)
	p.SetZeroCount(h.ZeroCount)
	p.SetCount(h.Count)
	storeBuckets(p.Positive(), &h.Positive)
	storeBuckets(p.Negative(), &h.Negative)
}

func storeBuckets(to pmetric.ExponentialHistogramDataPointBuckets, from *expo.Buckets) {
	b := from.Trimmed()
	to.SetOffset(b.Offset)
	to.BucketCounts().FromRaw(b.Counts)
}
