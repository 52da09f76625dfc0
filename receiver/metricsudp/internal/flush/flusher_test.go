package flush

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.uber.org/goleak"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/series"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/socket"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tableSource is a reader without a socket.
type tableSource struct {
	*series.Table
	retired chan *series.Epoch
	drops   uint32
}

func (s *tableSource) Swap()                         { s.retired <- s.Table.Swap() }
func (s *tableSource) Stop()                         { s.Swap() }
func (s *tableSource) Retired() <-chan *series.Epoch { return s.retired }
func (s *tableSource) Stats() (socket.Stats, error) {
	return socket.Stats{Drops: s.drops, BufferBytes: 4096}, nil
}

type stoppedClock struct{ now time.Time }

func (c *stoppedClock) Now() time.Time { return c.now }
func (c *stoppedClock) Next(stopped <-chan struct{}) (time.Time, bool) {
	<-stopped
	return time.Time{}, false
}

// rig is a flusher whose flushes the test calls. consume answers each batch.
type rig struct {
	*Flusher
	t       *testing.T
	clock   *stoppedClock
	sources []*tableSource
	reports []*Report

	mu      sync.Mutex
	taken   []pmetric.Metrics
	offered int
	consume func(context.Context, pmetric.Metrics) error // nil accepts all
}

var epochStart = time.Unix(1_700_000_000, 0)

func newRig(t *testing.T, change func(*series.Options, *Builder, *SenderOptions)) *rig {
	o := series.Options{
		Limits:   line.Limits{NameBytes: 512, TagBytes: series.MaxFieldBytes, MinRate: 1e-6},
		MaxBytes: 1 << 30, MaxSeries: 1000, MaxAliases: 2000, MaxTags: 64, Tables: 2,
		Monotonic: true, IntCounters: true, SetLimit: 1024, ExpirySwaps: 10,
		TimedCounters: true, TimedGauges: true, TimedPoints: 3,
	}
	b := &Builder{Resource: pcommon.NewResource(), ScopeName: "scope", IntCounters: true, TimerUnit: "ms"}
	r := &rig{t: t, clock: &stoppedClock{now: epochStart}}
	sender := SenderOptions{Consume: r.offer, Retryable: func(err error) bool { return errors.Is(err, errRetryable) }, MaxPause: time.Millisecond}
	if change != nil {
		change(&o, b, &sender)
	}
	registry := series.NewRegistry(o)
	var sources []Source
	for range o.Tables {
		s := &tableSource{Table: series.NewTable(registry), retired: make(chan *series.Epoch, 1)}
		r.sources, sources = append(r.sources, s), append(sources, s)
	}
	r.Flusher = New(Options{
		Registry: registry, Sources: sources, Builder: b, Clock: r.clock, Sender: NewSender(sender),
		Received:       func() int64 { return receivedAtFlush },
		OnReport:       func(report *Report) { r.reports = append(r.reports, report) },
		OnSourcesEnded: func() error { return nil },
	})
	return r
}

var errRetryable = errors.New("later")

func (r *rig) offer(ctx context.Context, b Batch, _ int) error {
	md := b.Metrics
	r.mu.Lock()
	r.offered++
	consume := r.consume
	r.mu.Unlock()
	if consume != nil {
		if err := consume(ctx, md); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.taken = append(r.taken, md)
	return nil
}

func (r *rig) answer(consume func(context.Context, pmetric.Metrics) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.consume = consume
}

func (r *rig) send(table int, lines string) {
	r.sources[table].Datagram([]byte(lines), false, 1, netip.Addr{})
}

// receivedAtFlush is the time of the readers' clock at every flush. Lines are received at 1.
const receivedAtFlush = 1 + 2_000_000

// flushAt flushes at seconds after the start and does not wait for the consumer.
func (r *rig) flushAt(seconds int) { r.flush(epochStart.Add(time.Duration(seconds) * time.Second)) }

// consumed waits until the sender is free.
func (r *rig) consumed() {
	r.Sender.idle <- <-r.Sender.idle
}

// stop ends the rig as Shutdown does, at seconds after the start.
func (r *rig) stop(ctx context.Context, seconds int) error {
	r.clock.now = epochStart.Add(time.Duration(seconds) * time.Second)
	go r.Run()
	return r.Shutdown(ctx)
}

// sums returns all points of a counter, in the order in which the consumer accepted them.
func (r *rig) sums(name string) (points []pmetric.NumberDataPoint) {
	r.each(name, func(m pmetric.Metric) {
		for i := range m.Sum().DataPoints().Len() {
			points = append(points, m.Sum().DataPoints().At(i))
		}
	})
	return points
}

func (r *rig) each(name string, do func(pmetric.Metric)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, md := range r.taken {
		metrics := md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics()
		for i := range metrics.Len() {
			if metrics.At(i).Name() == name {
				do(metrics.At(i))
			}
		}
	}
}

func total(points []pmetric.NumberDataPoint) (sum int64) {
	for _, p := range points {
		sum += p.IntValue()
	}
	return sum
}

func seconds(ts pcommon.Timestamp) int { return int(ts.AsTime().Sub(epochStart).Seconds()) }

func TestDeltaPointsTouch(t *testing.T) {
	r := newRig(t, nil)
	want := int64(0)
	for i := 1; i <= 40; i++ {
		if i%3 == 0 || i%7 < 2 { // some idle intervals, shorter than the expiry
			r.send(i%2, "a:2|c\nd:5|d")
			want += 2
		}
		r.flushAt(5 * i)
		r.consumed()
	}
	require.NoError(t, r.stop(context.Background(), 205))

	points := r.sums("a")
	assert.Equal(t, want, total(points))
	assert.Equal(t, 0, seconds(points[0].StartTimestamp()))
	for i := 1; i < len(points); i++ {
		require.Equal(t, points[i-1].Timestamp(), points[i].StartTimestamp())
		require.Greater(t, points[i].Timestamp(), points[i].StartTimestamp())
	}
	var last pcommon.Timestamp
	r.each("d", func(m pmetric.Metric) {
		p := m.ExponentialHistogram().DataPoints().At(0)
		if last != 0 {
			require.Equal(t, last, p.StartTimestamp())
		}
		last = p.Timestamp()
	})
}

func TestClockSetBack(t *testing.T) {
	r := newRig(t, nil)
	for _, at := range []int{10, 5, 5, 20} {
		r.send(0, "a:1|c")
		r.flushAt(at)
		r.consumed()
	}
	require.NoError(t, r.stop(context.Background(), 15))
	points := r.sums("a")
	require.Len(t, points, 4)
	for i, p := range points {
		assert.Greater(t, p.Timestamp(), p.StartTimestamp())
		if i > 0 {
			assert.Equal(t, points[i-1].Timestamp(), p.StartTimestamp())
		}
	}
}

// While the consumer processes one batch, flushes continue: readers are swapped, and their values are merged into the next batch.
func TestStalledConsumerCoalesces(t *testing.T) {
	r := newRig(t, nil)
	stalled, release := make(chan struct{}), make(chan struct{})
	r.answer(func(context.Context, pmetric.Metrics) error {
		stalled <- struct{}{}
		<-release
		return nil
	})
	r.send(0, "a:1|c\ng:1|g\nd:1|d\nu:x|s")
	r.flushAt(5)
	<-stalled
	for i := 2; i <= 6; i++ {
		r.send(i%2, fmt.Sprintf("a:1|c\ng:%d|g\nd:1|d\nu:x%d|s", i, i))
		r.flushAt(5 * i) // returns before the consumer does
	}
	r.answer(nil)
	close(release)
	r.consumed()
	require.NoError(t, r.stop(context.Background(), 35))

	points := r.sums("a")
	require.Len(t, points, 2)
	assert.Equal(t, int64(6), total(points))
	assert.Equal(t, points[0].Timestamp(), points[1].StartTimestamp())
	assert.Equal(t, 35, seconds(points[1].Timestamp()))
	var observed uint64
	r.each("d", func(m pmetric.Metric) { observed += m.ExponentialHistogram().DataPoints().At(0).Count() })
	assert.Equal(t, uint64(6), observed)
	var gauges []float64
	r.each("g", func(m pmetric.Metric) { gauges = append(gauges, m.Gauge().DataPoints().At(0).DoubleValue()) })
	assert.Equal(t, []float64{1, 6}, gauges)
	var members []int64
	r.each("u", func(m pmetric.Metric) { members = append(members, m.Gauge().DataPoints().At(0).IntValue()) })
	assert.Equal(t, []int64{1, 5}, members)
}

// A refused batch is offered again until it is accepted. It is unchanged even if the consumer has changed the batch that it was
// offered.
func TestRetryableErrorLosesNothing(t *testing.T) {
	for _, mutates := range []bool{false, true} {
		t.Run(fmt.Sprint("mutates=", mutates), func(t *testing.T) {
			r := newRig(t, func(_ *series.Options, _ *Builder, s *SenderOptions) { s.Mutates = mutates })
			refusals := 3
			r.answer(func(_ context.Context, md pmetric.Metrics) error {
				if refusals == 0 {
					return nil
				}
				refusals--
				if mutates {
					md.ResourceMetrics().RemoveIf(func(pmetric.ResourceMetrics) bool { return true })
				}
				return errRetryable
			})
			r.send(0, "a:1|c")
			r.flushAt(5)
			r.send(1, "a:2|c")
			r.flushAt(10)
			require.NoError(t, r.stop(context.Background(), 15))
			assert.Equal(t, int64(3), total(r.sums("a")))
			assert.GreaterOrEqual(t, r.offered, 4)
		})
	}
}

func TestPermanentErrorEndsTheBatchOnly(t *testing.T) {
	r := newRig(t, nil)
	r.answer(func(context.Context, pmetric.Metrics) error { return errors.New("never") })
	r.send(0, "a:1|c")
	r.flushAt(5)
	r.consumed()
	assert.Equal(t, 1, r.offered)
	r.answer(nil)
	r.send(0, "a:2|c")
	require.NoError(t, r.stop(context.Background(), 10))
	points := r.sums("a")
	require.Len(t, points, 1)
	assert.Equal(t, int64(2), points[0].IntValue())
	assert.Equal(t, 5, seconds(points[0].StartTimestamp()))
}

func TestShutdownGivesUpWithItsContext(t *testing.T) {
	release := make(chan struct{})
	for name, consume := range map[string]func(context.Context, pmetric.Metrics) error{
		"refusing":            func(context.Context, pmetric.Metrics) error { return errRetryable },
		"hanging":             func(ctx context.Context, _ pmetric.Metrics) error { <-ctx.Done(); return ctx.Err() },
		"deaf to its context": func(context.Context, pmetric.Metrics) error { <-release; return errRetryable },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			r.answer(consume)
			r.send(0, "a:1|c")
			r.flushAt(5)
			r.send(0, "a:1|c\nb:1|c")
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			require.ErrorIs(t, r.stop(ctx, 10), ErrNotHandedOn)
		})
	}
	close(release)
}

func TestShutdownOfAnIdleFlusher(t *testing.T) {
	r := newRig(t, nil)
	require.NoError(t, r.stop(context.Background(), 5))
	assert.Zero(t, r.offered, "an empty batch is not handed on")
}

func TestCumulativeStartsStayAndTotalsGrow(t *testing.T) {
	r := newRig(t, func(o *series.Options, b *Builder, _ *SenderOptions) {
		b.Cumulative, o.TimedCounters, o.ExpirySwaps = true, false, 4
	})
	r.send(0, "early:1|c\nd:1|d")
	r.flushAt(5)
	r.consumed()
	r.send(1, "early:2|c\nlate:1|c\nd:2|d\nu:x|s")
	r.flushAt(10)
	r.consumed()
	r.flushAt(15) // no values: repeated
	r.consumed()
	require.NoError(t, r.stop(context.Background(), 20))

	var values []int64
	for i, p := range r.sums("early") {
		assert.Equal(t, 0, seconds(p.StartTimestamp()))
		assert.Equal(t, 5*(i+1), seconds(p.Timestamp()))
		values = append(values, p.IntValue())
	}
	assert.Equal(t, []int64{1, 3, 3, 3}, values)
	for _, p := range r.sums("late") {
		assert.Equal(t, 5, seconds(p.StartTimestamp()), "begins with the interval it appeared in")
		assert.Equal(t, int64(1), p.IntValue())
	}
	assert.Len(t, r.sums("late"), 3)
	var counts []uint64
	r.each("d", func(m pmetric.Metric) {
		assert.Equal(t, pmetric.AggregationTemporalityCumulative, m.ExponentialHistogram().AggregationTemporality())
		p := m.ExponentialHistogram().DataPoints().At(0)
		assert.Equal(t, 0, seconds(p.StartTimestamp()))
		counts = append(counts, p.Count())
	})
	assert.Equal(t, []uint64{1, 2, 2, 2}, counts)
	sets := 0
	r.each("u", func(pmetric.Metric) { sets++ })
	assert.Equal(t, 1, sets, "a set is of its interval")
}

func TestCumulativeSeriesExpireAndStartAnew(t *testing.T) {
	r := newRig(t, func(o *series.Options, b *Builder, _ *SenderOptions) { b.Cumulative, o.ExpirySwaps = true, 2 })
	r.send(0, "a:5|c")
	for i := 1; i <= 4; i++ {
		r.flushAt(5 * i)
		r.consumed()
	}
	r.send(0, "a:7|c")
	require.NoError(t, r.stop(context.Background(), 25))
	points := r.sums("a")
	last := points[len(points)-1]
	assert.Equal(t, int64(7), last.IntValue())
	assert.Equal(t, 20, seconds(last.StartTimestamp()))
	assert.Len(t, points, 3, "5, 5 again while alive, 7")
}

func TestGaugesResend(t *testing.T) {
	for _, resend := range []bool{false, true} {
		r := newRig(t, func(_ *series.Options, b *Builder, _ *SenderOptions) { b.ResendGauges = resend })
		r.send(0, "g:4|g")
		for i := 1; i <= 3; i++ {
			r.flushAt(5 * i)
			r.consumed()
		}
		require.NoError(t, r.stop(context.Background(), 20))
		n := 0
		r.each("g", func(m pmetric.Metric) {
			n++
			assert.InDelta(t, 4, m.Gauge().DataPoints().At(0).DoubleValue(), 0)
		})
		if resend {
			assert.Equal(t, 4, n)
		} else {
			assert.Equal(t, 1, n)
		}
	}
}

// Timestamped points cannot be merged, so the buffer bounds the points that wait.
func TestTimestampedPoints(t *testing.T) {
	r := newRig(t, nil)
	stalled, release := make(chan struct{}), make(chan struct{})
	r.answer(func(context.Context, pmetric.Metrics) error {
		stalled <- struct{}{}
		<-release
		return nil
	})
	r.send(0, "a:1|c|T1600000000\na:2|c")
	r.flushAt(5)
	<-stalled
	for i := 2; i <= 4; i++ {
		r.send(0, "a:1|c|T1600000000\ng:1|g|T1600000001")
		r.flushAt(5 * i)
	}
	r.answer(nil)
	close(release)
	require.NoError(t, r.stop(context.Background(), 25))

	timed := 0
	for _, p := range r.sums("a") {
		if p.StartTimestamp() == 0 {
			timed++
			assert.Equal(t, int64(1_600_000_000), p.Timestamp().AsTime().Unix())
		}
	}
	assert.Equal(t, 1+2, timed)
	dropped := uint64(0)
	for _, report := range r.reports {
		dropped += report.Stats.DroppedPoints
	}
	assert.Equal(t, uint64(3), dropped, "of 6 while stalled, 3 have room")
}

// mapped maps timers to summaries, histograms to one point per value, and distributions to explicit buckets.
func mapped(o *series.Options) {
	o.Observers[line.Timer] = series.Observer{Aggregation: series.Summary, Percentiles: []float64{0, 50, 100}}
	o.Observers[line.Histogram] = series.Observer{Aggregation: series.Each}
	o.Observers[line.Distribution] = series.Observer{Explicit: []series.ExplicitBuckets{{Name: regexp.MustCompile("d"), Bounds: []float64{1, 2}}}}
}

// With cumulative temporality explicit histograms are sums since the start and are repeated. Summaries belong to one interval with
// either temporality, and their intervals have no gaps.
func TestMappedPoints(t *testing.T) {
	for _, cumulative := range []bool{false, true} {
		r := newRig(t, func(o *series.Options, b *Builder, _ *SenderOptions) {
			mapped(o)
			b.Cumulative = cumulative
		})
		r.send(0, "d:1:3|d\nt:1:2|ms")
		r.send(1, "d:2|d|@0.5\nt:6|ms")
		r.flushAt(5)
		r.consumed()
		r.send(1, "d:0|d\nt:4|ms")
		r.flushAt(10)
		r.consumed()
		require.NoError(t, r.stop(context.Background(), 15))

		type histogram struct {
			start, end    int
			counts        []uint64
			sum, min, max float64
		}
		var histograms []histogram
		r.each("d", func(m pmetric.Metric) {
			assert.Equal(t, r.Builder.temporality(), m.Histogram().AggregationTemporality())
			p := m.Histogram().DataPoints().At(0)
			assert.Equal(t, []float64{1, 2}, p.ExplicitBounds().AsRaw())
			counts := p.BucketCounts().AsRaw()
			assert.Equal(t, p.Count(), counts[0]+counts[1]+counts[2])
			histograms = append(histograms, histogram{seconds(p.StartTimestamp()), seconds(p.Timestamp()), counts, p.Sum(), p.Min(), p.Max()})
		})
		if cumulative {
			assert.Equal(t, []histogram{
				{0, 5, []uint64{1, 2, 1}, 8, 1, 3},
				{0, 10, []uint64{2, 2, 1}, 8, 0, 3},
				{0, 15, []uint64{2, 2, 1}, 8, 0, 3},
			}, histograms)
		} else {
			assert.Equal(t, []histogram{{0, 5, []uint64{1, 2, 1}, 8, 1, 3}, {5, 10, []uint64{1, 0, 0}, 0, 0, 0}}, histograms)
		}

		type summary struct {
			start, end int
			count      uint64
			sum        float64
			quantiles  map[float64]float64
		}
		var summaries []summary
		r.each("t", func(m pmetric.Metric) {
			assert.Equal(t, "ms", m.Unit())
			p := m.Summary().DataPoints().At(0)
			s := summary{seconds(p.StartTimestamp()), seconds(p.Timestamp()), p.Count(), p.Sum(), map[float64]float64{}}
			for i := range p.QuantileValues().Len() {
				s.quantiles[p.QuantileValues().At(i).Quantile()] = p.QuantileValues().At(i).Value()
			}
			summaries = append(summaries, s)
		})
		assert.Equal(t, []summary{
			{0, 5, 3, 9, map[float64]float64{0: 1, 0.5: 2, 1: 6}},
			{5, 10, 1, 4, map[float64]float64{0: 4, 0.5: 4, 1: 4}},
		}, summaries)
	}
}

// While the consumer stalls, the intervals of a summary are merged. Its quantiles are those of all values.
func TestSummariesCoalesce(t *testing.T) {
	r := newRig(t, func(o *series.Options, _ *Builder, _ *SenderOptions) { mapped(o) })
	stalled, release := make(chan struct{}), make(chan struct{})
	r.answer(func(context.Context, pmetric.Metrics) error {
		stalled <- struct{}{}
		<-release
		return nil
	})
	r.send(0, "t:100|ms")
	r.flushAt(5)
	<-stalled
	for i := 2; i <= 8; i++ {
		for range 300 {
			r.send(i%2, fmt.Sprintf("t:%d|ms", i))
		}
		r.flushAt(5 * i)
	}
	r.answer(nil)
	close(release)
	require.NoError(t, r.stop(context.Background(), 45))
	points := 0
	r.each("t", func(m pmetric.Metric) {
		if points++; points == 1 {
			return
		}
		p := m.Summary().DataPoints().At(0)
		assert.Equal(t, uint64(7*300), p.Count())
		assert.InDelta(t, 300*(2+3+4+5+6+7+8), p.Sum(), 0)
		assert.InDelta(t, 5, p.QuantileValues().At(1).Value(), 5*0.0028)
		assert.Equal(t, 5, seconds(p.StartTimestamp()))
	})
	assert.Equal(t, 2, points)
}

// A point has the time of receipt, converted with the difference of both clocks at the flush.
func TestPointsHaveTheTimeOfReceipt(t *testing.T) {
	r := newRig(t, func(o *series.Options, _ *Builder, _ *SenderOptions) { mapped(o) })
	r.send(0, "h:3|h|@0.1|#k:v")
	r.send(1, "h:4:5|h\na:1|c|T1600000000") // 4 points for a buffer of 3
	r.clock.now = epochStart.Add(5 * time.Second)
	r.flushAt(5)
	r.consumed()
	require.NoError(t, r.stop(context.Background(), 10))
	values := map[float64]int{}
	r.each("h", func(m pmetric.Metric) {
		for i := range m.Gauge().DataPoints().Len() {
			p := m.Gauge().DataPoints().At(i)
			assert.Zero(t, p.StartTimestamp())
			assert.Equal(t, epochStart.Add(5*time.Second-2*time.Millisecond), p.Timestamp().AsTime().Local())
			values[p.DoubleValue()] = p.Attributes().Len()
		}
	})
	assert.Equal(t, map[float64]int{3: 1, 4: 0, 5: 0}, values)
	assert.Equal(t, uint64(1), r.reports[0].Stats.DroppedPoints)
}

func TestBatchHasOneResourceAndOneScope(t *testing.T) {
	r := newRig(t, func(_ *series.Options, b *Builder, _ *SenderOptions) {
		b.Resource.Attributes().PutStr("service.name", "x")
	})
	r.send(0, "a:1|c|#x:1\na:1|c|#x:2\na:1|g\nt:1|ms\nh:1|h")
	r.send(1, "a:1|c|#x:1\nb:1|c")
	require.NoError(t, r.stop(context.Background(), 5))
	require.Len(t, r.taken, 1)
	md := r.taken[0]
	require.Equal(t, 1, md.ResourceMetrics().Len())
	assert.Equal(t, map[string]any{"service.name": "x"}, md.ResourceMetrics().At(0).Resource().Attributes().AsRaw())
	require.Equal(t, 1, md.ResourceMetrics().At(0).ScopeMetrics().Len())
	assert.Equal(t, 5, md.MetricCount())
	assert.Equal(t, 6, md.DataPointCount())
}

func TestReport(t *testing.T) {
	r := newRig(t, nil)
	r.sources[0].drops = 1<<32 - 2
	r.send(0, "a:1|c\nbad")
	r.send(1, "a:1|c\nworse\nb:x|c")
	r.flushAt(5)
	r.sources[0].drops = 3 // the kernel's counter wrapped
	r.sources[1].drops = 4
	r.flushAt(10)
	require.NoError(t, r.stop(context.Background(), 15))
	require.Len(t, r.reports, 3)
	first, second := r.reports[0], r.reports[1]
	assert.Equal(t, uint64(2), first.Stats.Lines[line.Counter])
	assert.Equal(t, uint64(2), first.Stats.Rejected[line.NoValue])
	assert.Equal(t, []Example{{line.NoValue, "bad"}, {line.BadValue, "b:x|c"}}, first.Examples)
	assert.Equal(t, 1, first.Series)
	assert.Equal(t, 2, first.Aliases)
	assert.Equal(t, 4096, first.BufferBytes)
	assert.Equal(t, uint64(5+4), second.KernelDrops)
	assert.Zero(t, second.Stats)
	assert.Empty(t, second.Examples)
}

func TestIntervalClock(t *testing.T) {
	c := IntervalClock{Interval: time.Millisecond, Align: true}
	before := c.Now()
	at, ok := c.Next(nil)
	assert.True(t, ok)
	assert.True(t, at.After(before))
	// With a reading of the monotonic clock, After would not see a wall clock that was set back.
	assert.Equal(t, before.Round(0), before)
	assert.Equal(t, at.Round(0), at)
	stopped := make(chan struct{})
	close(stopped)
	_, ok = IntervalClock{Interval: time.Hour}.Next(stopped)
	assert.False(t, ok)
}

// A consumer that recovers is offered the batch again soon, even with a long interval, and within the time of a shutdown.
func TestPausesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var attempts []time.Time
		s := NewSender(SenderOptions{
			Consume: func(context.Context, Batch, int) error {
				attempts = append(attempts, time.Now())
				return errRetryable
			},
			Retryable: func(error) bool { return true },
			MaxPause:  24 * time.Hour,
		})
		_, ok := s.TryReserve()
		require.True(t, ok)
		batch := pmetric.NewMetrics()
		batch.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty().SetEmptyGauge().DataPoints().AppendEmpty()
		s.Send([]offer{newOffer(Batch{Metrics: batch})})
		time.Sleep(10 * time.Minute)
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		require.Equal(t, 1, s.Close(ended))
		require.Greater(t, len(attempts), 10)
		for i := range len(attempts) - 1 {
			assert.LessOrEqual(t, attempts[i+1].Sub(attempts[i]), 5*time.Second)
		}
	})
}
