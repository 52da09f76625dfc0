package flush

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"testing"
	"time"

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

// stall makes the consumer of each batch send to stalled and wait until release is closed. Then it accepts the batch.
func (r *rig) stall() (stalled <-chan struct{}, release chan<- struct{}) {
	begun, end := make(chan struct{}), make(chan struct{})
	r.answer(func(context.Context, pmetric.Metrics) error {
		begun <- struct{}{}
		<-end
		return nil
	})
	return begun, end
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
