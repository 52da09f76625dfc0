package e2e

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// hostilePoint changes a data point of an exponential histogram.
type hostilePoint func(pmetric.ExponentialHistogramDataPoint)

func exponentialOf(scale, offset int32, threshold float64, counts ...uint64) hostilePoint {
	return func(p pmetric.ExponentialHistogramDataPoint) {
		p.SetScale(scale)
		p.SetZeroThreshold(threshold)
		p.Positive().SetOffset(offset)
		p.Positive().BucketCounts().FromRaw(counts)
		for _, n := range counts {
			p.SetCount(p.Count() + n)
		}
	}
}

// miscounted returns a point whose count differs from the sum of its buckets.
func miscounted(p hostilePoint) hostilePoint {
	return func(dp pmetric.ExponentialHistogramDataPoint) {
		p(dp)
		dp.SetCount(dp.Count() + 8)
	}
}

// markerOf returns a point without a recorded value that nevertheless has buckets.
func markerOf(p hostilePoint) hostilePoint {
	return func(dp pmetric.ExponentialHistogramDataPoint) {
		p(dp)
		dp.SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
	}
}

// hostilePairs are pairs of points, each of one stream.
var hostilePairs = [][]hostilePoint{
	{miscounted(exponentialOf(-1, 0, 0, 1)), miscounted(exponentialOf(-1, 0, 1, 1))},
	{exponentialOf(-1, 0, 0, 1), exponentialOf(-1, 0, 1, 1)},
	{markerOf(exponentialOf(-1, 0, 0, 1)), markerOf(exponentialOf(-1, 0, 1, 1))},
	{exponentialOf(20, math.MinInt32, 0, 1), exponentialOf(20, 0, 1e300, 1)},
	{exponentialOf(20, 0, 0), exponentialOf(20, math.MaxInt32, 0, 1)},
	{exponentialOf(0, math.MinInt32, 0, 1), exponentialOf(0, math.MaxInt32, 0, 1)},
	{exponentialOf(math.MaxInt32, 0, 0, 1), exponentialOf(math.MinInt32, 0, 0, 1)},
	{exponentialOf(math.MaxInt32, math.MinInt32, 0, 1), exponentialOf(math.MinInt32, math.MaxInt32, 1, 1)},
	{exponentialOf(20, -1<<30, 0, 1), exponentialOf(20, 1<<30-1, 0, 1)}, // still those of floats
}

// hostilePoints makes requests of a few streams, whose points are in the order of time.
type hostilePoints struct {
	rng  *rand.Rand
	time pcommon.Timestamp
}

func newHostilePoints(seed uint64) *hostilePoints {
	return &hostilePoints{rng: rand.New(rand.NewPCG(seed, 11)), time: pcommon.NewTimestampFromTime(time.Now())}
}

// request returns a request with the points in one metric, and an explicit histogram.
func (h *hostilePoints) request(points ...hostilePoint) pmetric.Metrics {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	rm.Resource().Attributes().PutStr("service.name", oneOf(h.rng, "shop", "cart"))
	metrics := rm.ScopeMetrics().AppendEmpty().Metrics()
	m := metrics.AppendEmpty()
	m.SetName(fmt.Sprintf("hostile.%d", h.rng.IntN(5)))
	m.SetUnit(oneOf(h.rng, "", "ms", "s", "By"))
	e := m.SetEmptyExponentialHistogram()
	e.SetAggregationTemporality(oneOf(h.rng, pmetric.AggregationTemporalityDelta, pmetric.AggregationTemporalityDelta,
		pmetric.AggregationTemporalityCumulative, pmetric.AggregationTemporalityUnspecified))
	for _, change := range points {
		p := e.DataPoints().AppendEmpty()
		h.time++
		p.SetTimestamp(h.time)
		change(p)
	}
	explicit := metrics.AppendEmpty()
	explicit.SetName("hostile.explicit")
	explicit.SetUnit(m.Unit())
	explicit.SetEmptyHistogram().SetAggregationTemporality(e.AggregationTemporality())
	p := explicit.Histogram().DataPoints().AppendEmpty()
	p.SetTimestamp(h.time)
	h.explicit(p)
	return md
}

func oneOf[T any](rng *rand.Rand, choices ...T) T { return choices[rng.IntN(len(choices))] }

// random returns a few points of a few streams, sometimes many.
func (h *hostilePoints) random() []hostilePoint {
	points := make([]hostilePoint, 1+h.rng.IntN(20))
	if h.rng.IntN(100) == 0 {
		points = make([]hostilePoint, h.rng.IntN(3000))
	}
	for i := range points {
		points[i] = h.exponential
	}
	return points
}

func (h *hostilePoints) exponential(p pmetric.ExponentialHistogramDataPoint) {
	rng := h.rng
	p.Attributes().PutInt("a", rng.Int64N(3))
	p.SetScale(oneOf(rng, 0, rng.Int32N(31)-10, rng.Int32N(31)-10, -1, -11, 20, 21, int32(rng.Uint32()), math.MinInt32, math.MaxInt32))
	p.SetZeroThreshold(oneOf(rng, 0, 0, 0, 1, rng.ExpFloat64(), math.SmallestNonzeroFloat64, 1e-300, 1e300, math.MaxFloat64))
	p.SetZeroCount(oneOf(rng, 0, rng.Uint64()>>40, rng.Uint64()>>rng.IntN(64)))
	sum := p.ZeroCount()
	for _, b := range []pmetric.ExponentialHistogramDataPointBuckets{p.Positive(), p.Negative()} {
		b.SetOffset(oneOf(rng, 0, rng.Int32N(400)-200, -1<<30, 1<<30-1, int32(rng.Uint32()), math.MinInt32, math.MaxInt32))
		counts := make([]uint64, oneOf(rng, 0, 0, 1, 1, 2, rng.IntN(20), rng.IntN(200), h.many()))
		for i := range counts {
			if rng.IntN(4) == 0 {
				counts[i] = oneOf(rng, 1, rng.Uint64()>>48, rng.Uint64()>>rng.IntN(64))
				sum += counts[i]
			}
		}
		b.BucketCounts().FromRaw(counts)
	}
	p.SetCount(sum) // modulo 2^64
	p.SetSum(oneOf(rng, 0, rng.NormFloat64(), math.NaN(), math.Inf(1), math.MaxFloat64))
	if rng.IntN(2) == 0 {
		p.SetMin(oneOf(rng, 0, rng.NormFloat64(), math.NaN(), math.Inf(-1)))
		p.SetMax(oneOf(rng, 0, rng.NormFloat64(), math.NaN(), math.MaxFloat64))
	}
	switch rng.IntN(12) { // what is wrong
	case 0:
		p.SetCount(rng.Uint64())
	case 1:
		p.SetZeroThreshold(oneOf(rng, math.NaN(), -1, math.Inf(1)))
	case 2:
		p.SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
	case 3:
		p.SetTimestamp(0)
	}
}

// many returns a number of buckets, sometimes nearly as many as fit into a request.
func (h *hostilePoints) many() int {
	if h.rng.IntN(500) == 0 {
		return 1_000_000
	}
	return h.rng.IntN(2000)
}

func (h *hostilePoints) explicit(p pmetric.HistogramDataPoint) {
	rng := h.rng
	bounds := make([]float64, oneOf(rng, 0, 1, rng.IntN(20), rng.IntN(2000)))
	for i := range bounds {
		bounds[i] = float64(i) * oneOf(rng, 1, 1, 1, rng.NormFloat64())
	}
	if n := len(bounds); n > 0 && rng.IntN(4) == 0 {
		bounds[n-1] = oneOf(rng, math.Inf(1), math.NaN(), math.Inf(-1))
	}
	counts := make([]uint64, max(0, len(bounds)+oneOf(rng, 1, 1, 1, 0, -1, 7)))
	for i := range counts {
		counts[i] = rng.Uint64() >> oneOf(rng, 0, 40, 40, 40)
		p.SetCount(p.Count() + counts[i])
	}
	p.ExplicitBounds().FromRaw(bounds)
	p.BucketCounts().FromRaw(counts)
	p.SetSum(float64(p.Count()))
}

// TestHostilePoints checks the variety of the random points, so that the test above cannot pass with harmless points.
func TestHostilePoints(t *testing.T) {
	h, points, text := newHostilePoints(3), 0, strings.Builder{}
	for range 200 {
		md := h.request(h.random()...)
		points += md.DataPointCount()
		json, err := (&pmetric.JSONMarshaler{}).MarshalMetrics(md)
		require.NoError(t, err)
		text.Write(json)
	}
	require.Greater(t, points, 1000)
	for _, want := range []string{`"scale":-2147483648`, `"scale":2147483647`, `"offset":-2147483648`, `"offset":2147483647`, `"zeroThreshold":1e+300`, `"zeroThreshold":"NaN"`, `"flags":1`} {
		require.Contains(t, text.String(), want)
	}
}
