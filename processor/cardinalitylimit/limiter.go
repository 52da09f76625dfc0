package cardinalitylimit

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/processor"
	"go.uber.org/zap"

	"github.com/otelcol-custom/otelcol-custom/internal/shutdown"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/fold"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/limit"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/tracker"
)

// limiter is the processor. Its own ConsumeMetrics wraps the helper's, so that what
// is folded is committed only when the rest of its batch has been taken.
type limiter struct {
	processor.Metrics

	cfg       *Config
	enforce   bool
	instance  string
	next      consumer.Metrics
	logger    *zap.Logger
	factory   *factory
	set       *limit.Set
	table     *fold.Table
	telemetry *telemetry

	name string // of all processors of the factory, ours alone until the shutdown
	// Of the goroutine that flushes, from start on: nil before.
	stop     chan struct{}
	flushCtx context.Context
	cancel   context.CancelFunc // ends a flush that outlives the shutdown's deadline
	done     chan struct{}
	last     error // of the last flush; valid once done is closed
	stopped  bool
}

func newLimiter(set processor.Settings, cfg *Config, next consumer.Metrics, f *factory) (*limiter, error) {
	p := &limiter{
		cfg: cfg, instance: cfg.InstanceID,
		next: next, logger: set.Logger, factory: f,
	}
	if p.instance == "" {
		host, err := os.Hostname()
		if err != nil {
			return nil, fmt.Errorf("instance_id: must be set where the host has no name: %w", err)
		}
		p.instance = host
	}
	core, err := cfg.compile()
	if err != nil {
		return nil, err
	}
	budget := tracker.NewBudget(int64(cfg.Tracker.MemoryLimitMiB) << 20)
	p.set, err = limit.NewSet(core.limits, limit.Options{
		Exempt: core.exempt, Window: cfg.Window.Duration, MaxKeys: cfg.Tracker.MaxKeys,
		Tracker: tracker.Config{
			ExactUpTo: cfg.Tracker.ExactUpTo, FalsePositiveRate: cfg.Tracker.FalsePositiveRate,
			Generations: cfg.Window.Generations, Budget: budget,
		},
		Seed: rand.Uint64(), Now: f.now,
	})
	if err != nil {
		return nil, err
	}
	p.enforce = core.enforce
	p.table = fold.NewTable(fold.Options{
		MaxStreams: cfg.Reaggregate.MaxTrackedStreams, Gauge: core.gauge,
		Idle: cfg.Window.Duration, Budget: budget, Now: f.now,
	})
	p.name = f.writers.acquire(set.ID)
	p.telemetry, err = newTelemetry(set.TelemetrySettings, p.set, p.table, budget, p.name, cfg.Mode, f.now)
	if err != nil {
		f.writers.release(p.name)
	}
	return p, err
}

func (p *limiter) start(context.Context, component.Host) error {
	p.flushCtx, p.cancel = context.WithCancel(context.Background())
	p.stop, p.done = make(chan struct{}), make(chan struct{})
	go p.run()
	return nil
}

// run flushes at every interval until the processor stops, and then once more:
// downstream is still there.
func (p *limiter) run() {
	defer close(p.done)
	ticker := time.NewTicker(p.cfg.Reaggregate.FlushInterval)
	defer ticker.Stop()
	for {
		select {
		case <-p.stop:
			p.last = p.flush(p.flushCtx, true)
			return
		case <-ticker.C:
			_ = p.flush(p.flushCtx, false) // logged; an error is of the last one only
			p.maintain()
		}
	}
}

const (
	// abandonAfter is how long downstream has to notice that its context ended.
	abandonAfter = 100 * time.Millisecond
	// flushGrace is how long downstream has to take what is folded at shutdown.
	flushGrace = shutdown.Processor - abandonAfter
)

// errAbandoned means that what the last flush held is neither delivered nor refused.
var errAbandoned = errors.New("downstream does not return from taking folded series")

// shutdown hands on what is folded. It may be called without start, and again.
func (p *limiter) shutdown(ctx context.Context) error {
	if p.stopped {
		return nil
	}
	p.stopped = true
	defer p.factory.writers.release(p.name)
	defer p.telemetry.shutdown()
	if p.stop == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, flushGrace)
	defer cancel()
	context.AfterFunc(ctx, p.cancel) // runs at the latest when this function returns
	close(p.stop)
	return p.wait(ctx)
}

// wait waits for the last flush, but for a downstream that ignores the end of its
// context.
func (p *limiter) wait(ctx context.Context) error {
	select {
	case <-p.done:
		return p.last
	case <-ctx.Done():
	}
	timer := time.NewTimer(abandonAfter)
	defer timer.Stop()
	select {
	case <-p.done:
		return p.last
	case <-timer.C:
		return errAbandoned
	}
}
