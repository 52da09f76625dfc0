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

	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/fold"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/limit"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/tracker"
)

// limiter is the processor. Its own ConsumeMetrics wraps the helper's, so that what
// is folded is committed only when the rest of its batch has been taken.
type limiter struct {
	processor.Metrics

	cfg      *Config
	compiled compiled
	instance string
	name     string // of all processors of the factory, ours alone until the shutdown
	next     consumer.Metrics
	settings component.TelemetrySettings
	factory  *factory

	// From start on; nil before.
	set       *limit.Set
	table     *fold.Table
	telemetry *telemetry
	flusher   *flusher
	stopped   bool

	warned map[string]time.Time // by limit; of the flusher's goroutine
}

func newLimiter(set processor.Settings, cfg *Config, next consumer.Metrics, f *factory) (*limiter, error) {
	p := &limiter{
		cfg: cfg, instance: cfg.InstanceID, next: next, settings: set.TelemetrySettings, factory: f,
		warned: make(map[string]time.Time),
	}
	if p.instance == "" {
		host, err := os.Hostname()
		if err != nil {
			return nil, fmt.Errorf("instance_id: must be set where the host has no name: %w", err)
		}
		p.instance = host
	}
	var err error
	if p.compiled, err = cfg.compile(); err != nil {
		return nil, err
	}
	p.name = f.writers.acquire(set.ID)
	return p, nil
}

// errNotStarted means that points came before the start.
var errNotStarted = errors.New("cardinalitylimit has not been started")

func (p *limiter) start(context.Context, component.Host) error {
	budget := tracker.NewBudget(int64(p.cfg.Tracker.MemoryLimitMiB) << 20)
	set, err := limit.NewSet(p.compiled.limits, limit.Options{
		Exempt: p.compiled.exempt, Window: p.cfg.Window.Duration, MaxKeys: p.cfg.Tracker.MaxKeys,
		Tracker: tracker.Config{
			ExactUpTo: p.cfg.Tracker.ExactUpTo, FalsePositiveRate: p.cfg.Tracker.FalsePositiveRate,
			Generations: p.cfg.Window.Generations, Budget: budget,
		},
		Seed: rand.Uint64(), Now: p.factory.now,
	})
	if err != nil {
		return err
	}
	p.set = set
	p.table = fold.NewTable(fold.Options{
		MaxStreams: p.cfg.Reaggregate.MaxTrackedStreams, Gauge: p.compiled.gauge,
		Idle: p.cfg.Window.Duration, Budget: budget, Now: p.factory.now,
	})
	if p.telemetry, err = newTelemetry(p.settings, p.set, p.table, budget, p.name, p.cfg.Mode); err != nil {
		return err
	}
	p.measure()
	p.flusher = startFlusher(p.cfg.Reaggregate.FlushInterval, func(ctx context.Context, last bool) error {
		defer p.maintain()
		return p.flush(ctx, last)
	})
	return nil
}

// shutdown hands on what is folded. It may be called without start, and again.
func (p *limiter) shutdown(ctx context.Context) (err error) {
	if p.stopped {
		return nil
	}
	p.stopped = true
	if p.flusher != nil {
		err = p.flusher.shutdown(ctx)
	}
	if p.telemetry != nil {
		p.telemetry.shutdown()
	}
	p.factory.writers.release(p.name)
	return err
}

// maintain forgets what is idle.
func (p *limiter) maintain() {
	p.table.Sweep()
	p.measure()
}

// measure reads the trackers, frees those that are empty, and says which limits have
// keys near them: once a window each.
func (p *limiter) measure() {
	usage := p.set.Sweep()
	p.telemetry.usage.Store(&usage)
	now := p.factory.now()
	for _, u := range usage {
		last, warned := p.warned[u.Limit]
		if u.Near == 0 || warned && now.Sub(last) < p.cfg.Window.Duration {
			continue
		}
		p.warned[u.Limit] = now
		p.settings.Logger.Warn("Keys near their limit",
			zap.String("limit", u.Limit), zap.Int64("keys", u.Near),
			zap.String("fullest_key", u.Fullest), zap.Float64("fullest_share", u.FullestShare))
	}
}
