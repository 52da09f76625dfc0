package cardinalitylimit

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pipeline"
	"go.opentelemetry.io/collector/processor"

	"github.com/otelcol-custom/otelcol-custom/internal/budget"
	"github.com/otelcol-custom/otelcol-custom/internal/gatewaystate"
	"github.com/otelcol-custom/otelcol-custom/internal/selfcount"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/cluster"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/fold"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/limit"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/offenders"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/rank"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/tracker"
)

// limiter is the processor.
type limiter struct {
	cfg      *Config
	compiled compiled
	instance string // Config.InstanceID, or the host name
	name     string // unique among the processors of the factory until the shutdown
	id       component.ID
	next     consumer.Metrics
	settings component.TelemetrySettings
	factory  *factory
	counters selfcount.Group
	items    *selfcount.Items

	// The fields below are nil before the start.
	set   *limit.Set
	table *fold.Table
	// foretold is the table that a dry run folds into, so that it counts as enforcement would. Nothing of it is sent or stored.
	// It is nil if limits are enforced.
	foretold    *fold.Table
	gateway     *cluster.Gateway // nil without a cluster
	telemetry   *telemetry
	board       *offenders.Board
	keeper      *keeper // nil without a storage
	flusher     *flusher
	stopped     bool
	oversizeLog oversizeLog
	walkers     sync.Pool
	totals      *rank.Totals
	pages       gatewaystate.Registries
	unregister  func() // ends the registration at the pages
	endWhatIf   func() // ends the subscription of what-if counts; nil without pages

	// Only the flusher's goroutine uses the fields below.
	nearLoggedAt    map[string]time.Time // last log record about keys near their limit, by limit
	names           offenderNames
	started         time.Time
	metadataChecked bool      // missing metadata was logged
	gaugesLoggedAt  time.Time // last log record about dropped gauges
}

func newLimiter(set processor.Settings, cfg *Config, next consumer.Metrics, f *factory) (*limiter, error) {
	p := &limiter{
		cfg: cfg, id: set.ID, instance: cfg.InstanceID, next: next, settings: set.TelemetrySettings, factory: f,
		nearLoggedAt: make(map[string]time.Time), names: newOffenderNames(),
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
	if p.items, err = selfcount.NewItems(set.MeterProvider, set.ID.String(), pipeline.SignalMetrics.String(), &p.counters); err != nil {
		return nil, err
	}
	p.name = f.processorNames.acquire(set.ID)
	if cfg.Storage != nil && p.name != set.ID.String() {
		f.processorNames.release(p.name)
		return nil, fmt.Errorf("storage: %s is in several pipelines, and which is which is not known after a restart: "+
			"give each a processor of its own, such as %s/%s", set.ID, set.ID.Type(), "second")
	}
	return p, nil
}

// errNotStarted means that a batch came before the start.
var errNotStarted = errors.New("cardinalitylimit has not been started")

// Start implements component.Component.
func (p *limiter) Start(ctx context.Context, host component.Host) error {
	var err error
	p.pages = gatewaystate.Find(host.GetExtensions())
	if p.cfg.Storage != nil {
		if p.keeper, err = openKeeper(ctx, host, *p.cfg.Storage, p.id, p.settings.Logger, p.factory); err != nil {
			return err
		}
		if p.cfg.Cluster != nil {
			p.keeper.useSeed(ctx, p.cfg.Cluster.seed())
		}
	}
	if err := p.makeState(ctx); err != nil {
		return errors.Join(err, p.gateway.Close(ctx), p.keeper.close(ctx))
	}
	p.started = p.factory.now()
	p.measure()
	p.flusher = &flusher{flush: func(ctx context.Context, last bool) error {
		defer p.maintain()
		return p.flush(ctx, last)
	}}
	if p.keeper != nil {
		p.flusher.save = p.save
	}
	p.flusher.start(p.cfg.Reaggregate.FlushInterval, p.cfg.SnapshotInterval)
	p.unregister = p.pages.Register(p)
	if len(p.pages) > 0 {
		p.endWhatIf = p.board.Subscribe()
	}
	return nil
}

// makeState makes the state and restores it from the storage.
func (p *limiter) makeState(ctx context.Context) error {
	memory := budget.New(int64(p.cfg.Tracker.MemoryLimitMiB) << 20)
	board, ok := offenders.New(p.factory.now(), offenders.Options{
		Limits: len(p.compiled.rules) + len(p.compiled.limits), Count: p.cfg.TopOffenders.Count, Window: p.cfg.Window.Duration,
		Examples: p.cfg.TopOffenders.LogExamples || p.pages.KeepsExamples(), Budget: memory,
		Keys: limit.HasKeysOfMetrics(p.compiled.limits, p.compiled.rules),
	})
	if !ok {
		return limit.ErrNoMemory
	}
	o := limit.Options{
		Exempt: p.compiled.exempt, Rules: p.compiled.rules, Window: p.cfg.Window.Duration, MaxKeys: p.cfg.Tracker.MaxKeys,
		ContestedAt: p.compiled.contestedAt, DropsGauges: p.compiled.gauge == fold.GaugeDrop,
		Tracker: tracker.Options{
			ExactUpTo: p.cfg.Tracker.ExactUpTo, FalsePositiveRate: p.cfg.Tracker.FalsePositiveRate,
			Generations: p.cfg.Window.Generations, Budget: memory,
		},
		Seed: p.seed(), Board: board, Now: p.factory.now,
	}
	var err error
	if p.cfg.Cluster != nil {
		if p.gateway, err = p.joinCluster(ctx, memory, &o); err != nil {
			return err
		}
		o.Cluster = p.gateway
	}
	set, err := limit.NewSet(p.compiled.limits, o)
	if err != nil {
		return err
	}
	p.gateway.Start(set)
	folding := fold.Options{
		MaxStreams: p.cfg.Reaggregate.MaxTrackedStreams, Gauge: p.compiled.gauge,
		Idle: p.cfg.Window.Duration, Budget: memory, Now: p.factory.now,
		FirstValue: p.compiled.firstValue, IdleTimeout: p.cfg.Reaggregate.IdleTimeout,
		Random: p.factory.random, Durable: p.keeper != nil,
	}
	table := fold.NewTable(folding)
	p.table = table
	if !p.compiled.enforce {
		folding.Durable = false
		p.foretold = fold.NewTable(folding)
	}
	if p.telemetry, err = newTelemetry(p.settings, &p.counters, set, p.folding(), memory, p.name, p.cfg.Mode); err != nil {
		return err
	}
	if p.gateway != nil {
		if err := p.telemetry.registerCluster(p.gateway); err != nil {
			return err
		}
	}
	if p.keeper != nil {
		if err := p.telemetry.registerStorage(p.keeper); err != nil {
			return err
		}
		p.keeper.restore(ctx, set, table, p.cfg.rules())
	}
	p.set, p.board, p.totals = set, board, rank.NewTotals(memory)
	return nil
}

// folding returns the table that points are folded into.
func (p *limiter) folding() *fold.Table {
	if p.foretold != nil {
		return p.foretold
	}
	return p.table
}

// seed returns the seed of the identities: that of the cluster, that of the stored state, or a random one.
func (p *limiter) seed() uint64 {
	switch {
	case p.cfg.Cluster != nil:
		return p.cfg.Cluster.seed()
	case p.keeper == nil:
		return p.factory.random(math.MaxUint64)
	}
	return p.keeper.store.Seed()
}

// Shutdown implements component.Component. It flushes for the last time and releases everything. It may be called without Start, and more
// than once.
func (p *limiter) Shutdown(ctx context.Context) (err error) {
	if p.stopped {
		return nil
	}
	p.stopped = true
	if p.unregister != nil {
		p.unregister()
	}
	if p.endWhatIf != nil {
		p.endWhatIf()
	}
	if p.flusher != nil {
		err = p.flusher.shutdown(ctx)
	}
	if p.telemetry != nil {
		p.telemetry.shutdown()
	}
	err = errors.Join(err, p.gateway.Close(ctx))
	p.factory.processorNames.release(p.name)
	if errors.Is(err, errAbandoned) {
		return err // the storage may be in use
	}
	return errors.Join(err, p.keeper.close(ctx))
}

// maintain removes idle streams, measures the limits and reports the counters, also those of a flush that Shutdown has abandoned.
func (p *limiter) maintain() {
	p.counters.Report()
	p.folding().Sweep()
	p.measure()
}
