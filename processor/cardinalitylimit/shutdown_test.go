package cardinalitylimit

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor"

	"github.com/otelcol-custom/otelcol-custom/internal/harness"
	"github.com/otelcol-custom/otelcol-custom/internal/shutdown"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/metadatatest"
)

// start runs a processor before next, whose time is that of the test.
func start(t *testing.T, next consumer.Metrics, cfg *Config) (processor.Metrics, *componenttest.Telemetry) {
	tel := componenttest.NewTelemetry()
	t.Cleanup(func() { require.NoError(t, tel.Shutdown(context.Background())) })
	p, err := NewFactory().CreateMetrics(context.Background(), metadatatest.NewSettings(tel), cfg, next)
	require.NoError(t, err)
	require.NoError(t, p.Start(context.Background(), componenttest.NewNopHost()))
	return p, tel
}

// overLimit sends points. All except the first of each metric are folded.
func overLimit(t *testing.T, p processor.Metrics) {
	now := time.Now()
	b := newBatch("orders")
	for name, temporality := range map[string]pmetric.AggregationTemporality{"requests": delta, "errors": cumulative} {
		points := b.sum(name, temporality, true)
		for _, id := range []string{"a", "b", "c"} {
			put(points, 1, now, now.Add(time.Second), "id", id)
		}
	}
	require.NoError(t, p.ConsumeMetrics(context.Background(), b.md))
}

func oneSeries(c *Config) { c.Limits = []LimitConfig{limitOf(1, "overflow", "metric.name")} }

// Points that downstream does not accept at shutdown are lost and counted, and the error of the shutdown has their number.
func TestShutdownCountsWhatIsRefused(t *testing.T) {
	for name, refusal := range map[string]error{
		"for now":  errors.New("busy"),
		"for good": consumererror.NewPermanent(errors.New("bad")),
	} {
		t.Run(name, func(t *testing.T) {
			out := &sink{}
			p, tel := start(t, out, config(oneSeries))
			overLimit(t, p)
			out.refuse(refusal)
			r := &rig{limiter: p.(*limiter), t: t, sink: out, tel: tel}
			err := p.Shutdown(context.Background())
			require.ErrorIs(t, err, refusal)
			require.ErrorContains(t, err, "2 points of folded series were not delivered")
			require.EqualValues(t, 2, r.counter("dropped_points", "reason", "undelivered"))
			require.NoError(t, p.Shutdown(context.Background()), "a second time")
		})
	}
}

// A cumulative series that downstream refuses permanently is not lost, because the next flush repeats it.
func TestRefusedCumulativeSeriesAreRepeated(t *testing.T) {
	r := newRig(t, oneSeries)
	start := r.clock.Now()
	r.clock.Add(time.Second)
	b := newBatch("orders")
	points := b.sum("requests", cumulative, true)
	put(points, 10, start, r.clock.Now(), "id", "a")
	put(points, 7, start, r.clock.Now(), "id", "b")
	r.send(b.md)
	r.sink.drain()
	r.sink.refuse(consumererror.NewPermanent(errors.New("bad")))
	require.Empty(t, r.flushed())
	r.sink.refuse(nil)
	require.EqualValues(t, 7, r.flushed()[0].value)
	require.Zero(t, r.counter("dropped_points", "reason", "undelivered"))
}

// hanging is a downstream that accepts the first batch and answers the others at the end of their context, or when released.
type hanging struct {
	consumertest.MetricsSink
	batches  int
	deaf     bool
	released chan struct{}
}

func (h *hanging) ConsumeMetrics(ctx context.Context, _ pmetric.Metrics) error {
	if h.batches++; h.batches == 1 {
		return nil
	}
	done := ctx.Done()
	if h.deaf {
		done = nil
	}
	select {
	case <-done:
		return ctx.Err()
	case <-h.released:
		return nil
	}
}

// Downstream may hang in a flush that is in progress, or in the last one. The shutdown lasts no longer than the budget of the
// stage, or the deadline of the caller if that is earlier.
func TestShutdownIsBounded(t *testing.T) {
	for name, c := range map[string]struct {
		deaf, flushing bool
		deadline       time.Duration
		atMost         time.Duration
		lost           int64
		err            error
	}{
		"listens":            {atMost: shutdown.Processor, lost: 2, err: context.Canceled},
		"is deaf":            {deaf: true, atMost: shutdown.Processor, err: errAbandoned},
		"hangs already":      {flushing: true, atMost: shutdown.Processor, lost: 2, err: context.Canceled},
		"deaf already":       {flushing: true, deaf: true, atMost: shutdown.Processor, err: errAbandoned},
		"an earlier end":     {deadline: time.Second, atMost: time.Second, lost: 2, err: context.Canceled},
		"an earlier end too": {deaf: true, deadline: time.Second, atMost: time.Second + abandonAfter, err: errAbandoned},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				out := &hanging{deaf: c.deaf, released: make(chan struct{})}
				cfg := config(oneSeries)
				cfg.Reaggregate.FlushInterval = time.Minute
				p, tel := start(t, out, cfg)
				overLimit(t, p)
				if c.flushing {
					time.Sleep(cfg.Reaggregate.FlushInterval)
					synctest.Wait()
					require.Equal(t, 2, out.batches)
				}
				ctx := context.Background()
				if c.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, c.deadline)
					defer cancel()
				}
				begun := time.Now()
				err := p.Shutdown(ctx)
				require.ErrorIs(t, err, c.err)
				require.LessOrEqual(t, time.Since(begun), c.atMost)
				r := &rig{t: t, tel: tel}
				require.Equal(t, c.lost, r.counter("dropped_points", "reason", "undelivered"))
				close(out.released) // the goroutine ends with its present call
				synctest.Wait()
			})
		})
	}
}

func TestShutdownFlushes(t *testing.T) {
	clock, out, tel := harness.NewClock(), &sink{}, componenttest.NewTelemetry()
	f := factoryAt(clock)
	cfg := config(func(c *Config) { c.Limits = []LimitConfig{limitOf(1, "overflow", "metric.name")} })
	p, err := f.createMetrics(context.Background(), metadatatest.NewSettings(tel), cfg, out)
	require.NoError(t, err)
	require.NoError(t, p.Start(context.Background(), componenttest.NewNopHost()))
	b := newBatch("orders")
	points := b.sum("requests", delta, true)
	put(points, 10, clock.Now(), clock.Now(), "id", "a")
	put(points, 3, clock.Now(), clock.Now(), "id", "b")
	require.NoError(t, p.ConsumeMetrics(context.Background(), b.md))
	out.drain()
	require.NoError(t, p.Shutdown(context.Background()))
	got := observe(out.drain()...)
	require.Len(t, got, 1)
	require.EqualValues(t, 3, got[0].value)
	require.NoError(t, p.Shutdown(context.Background()), "a second time")
	require.NoError(t, tel.Shutdown(context.Background()))
}

// A reader that pushes collects for the last time after the processors have stopped. It gets all counts, also those of the shutdown.
func TestCountsAfterShutdown(t *testing.T) {
	p, tel := start(t, &sink{}, config(oneSeries))
	overLimit(t, p)
	require.NoError(t, p.Shutdown(context.Background()))
	for name, want := range map[string]int64{"points": 6, "folded_points": 4, "emitted_points": 2} {
		require.Equal(t, want, harness.Sum(t, tel.Reader, "otelcol_processor_cardinalitylimit_"+name), name)
	}
}

// panicking is a consumer that panics while on is set.
type panicking struct {
	sink
	on bool
}

func (p *panicking) ConsumeMetrics(ctx context.Context, md pmetric.Metrics) error {
	if p.on {
		panic("downstream")
	}
	return p.sink.ConsumeMetrics(ctx, md)
}

// If the consumer panics, net/http closes the connection and the sender repeats the request. So nothing of it is folded.
func TestPanicDownstreamFoldsNothing(t *testing.T) {
	next := &panicking{on: true}
	p, tel := start(t, next, config(oneSeries))
	require.Panics(t, func() { overLimit(t, p) })
	next.on = false
	for range 20 { // batches that fold nothing; the pool drops some with the race detector
		b := newBatch("other")
		put(b.sum("x", delta, true), 1, time.Now(), time.Now(), "id", "a")
		require.NoError(t, p.ConsumeMetrics(context.Background(), b.md))
	}
	require.NoError(t, p.Shutdown(context.Background()))
	require.Zero(t, harness.Sum(t, tel.Reader, "otelcol_processor_cardinalitylimit_folded_points"))
}
