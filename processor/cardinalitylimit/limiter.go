package cardinalitylimit

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/processor"
	"go.uber.org/zap"

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
	id        component.ID
	factory   *factory
	set       *limit.Set
	table     *fold.Table
	telemetry *telemetry

	writer   string // between start and shutdown: our name as a writer of series
	stop     chan struct{}
	stopped  sync.WaitGroup
	cancel   context.CancelFunc // ends a flush that outlives the shutdown's deadline
	flushCtx context.Context
}

func newLimiter(set processor.Settings, cfg *Config, next consumer.Metrics, f *factory) (*limiter, error) {
	p := &limiter{
		cfg: cfg, enforce: cfg.Mode == modeEnforce, instance: cfg.InstanceID,
		next: next, logger: set.Logger, id: set.ID, factory: f,
	}
	if p.instance == "" {
		host, err := os.Hostname()
		if err != nil {
			return nil, fmt.Errorf("instance_id: must be set where the host has no name: %w", err)
		}
		p.instance = host
	}
	specs, err := cfg.specs()
	if err != nil {
		return nil, err
	}
	exempt, err := patterns("exempt.metrics", cfg.Exempt.Metrics)
	if err != nil {
		return nil, err
	}
	budget := tracker.NewBudget(int64(cfg.Tracker.MemoryLimitMiB) << 20)
	p.set, err = limit.NewSet(specs, limit.Options{
		Exempt: exempt, Window: cfg.Window.Duration, MaxKeys: cfg.Tracker.MaxKeys,
		Tracker: tracker.Config{
			ExactUpTo: cfg.Tracker.ExactUpTo, FalsePositiveRate: cfg.Tracker.FalsePositiveRate,
			Generations: cfg.Window.Generations, Budget: budget,
		},
		Seed: rand.Uint64(), Now: f.now,
	})
	if err != nil {
		return nil, err
	}
	p.table = fold.NewTable(fold.Options{
		MaxStreams: cfg.Reaggregate.MaxTrackedStreams, Gauge: gauges[cfg.Reaggregate.Gauge],
		Idle: cfg.Window.Duration, Budget: budget, Now: f.now,
	})
	p.telemetry, err = newTelemetry(set.TelemetrySettings, p.set, p.table, budget, cfg.Mode, f.now)
	return p, err
}

func (p *limiter) start(context.Context, component.Host) error {
	p.writer = p.factory.writers.acquire(p.instance, p.id)
	p.flushCtx, p.cancel = context.WithCancel(context.Background())
	p.stop = make(chan struct{})
	p.stopped.Go(p.run)
	return nil
}

// run flushes at every interval until the processor stops.
func (p *limiter) run() {
	ticker := time.NewTicker(p.cfg.Reaggregate.FlushInterval)
	defer ticker.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-ticker.C:
			p.flush(p.flushCtx)
			p.maintain()
		}
	}
}

// shutdown flushes what is folded: downstream is still there.
func (p *limiter) shutdown(ctx context.Context) error {
	if p.stop == nil {
		p.telemetry.shutdown()
		return nil
	}
	close(p.stop)
	unwatch := context.AfterFunc(ctx, p.cancel)
	p.stopped.Wait()
	unwatch()
	p.cancel()
	p.flush(ctx)
	p.telemetry.shutdown()
	p.factory.writers.release(p.writer)
	p.stop = nil
	return nil
}
