package fallbacklog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/exporter"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/breaker"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
	"github.com/otelcol-custom/otelcol-custom/internal/shutdown"
)

// registry finds the core of a configured component. The Collector hands the same *Config to each of its instances,
// so the pointer stands for the component's ID, and two services in one process do not meet.
type registry struct {
	mu    sync.Mutex
	cores map[*Config]*core
}

func newRegistry() *registry { return &registry{cores: map[*Config]*core{}} }

// join returns the component's core and how to leave it again.
func (r *registry) join(cfg *Config, set exporter.Settings) (*core, func() error, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c, ok := r.cores[cfg]
	if !ok {
		var err error
		if c, err = newCore(cfg, set); err != nil {
			return nil, nil, err
		}
		r.cores[cfg] = c
	}
	c.users++
	return c, func() error {
		r.mu.Lock()
		defer r.mu.Unlock()
		c.users--
		if c.users > 0 {
			return nil
		}
		delete(r.cores, cfg)
		return c.close()
	}, nil
}

// core is what the signals of one component share: the directory and its lock, the disk budgets, the breaker, the
// component's status.
type core struct {
	cfg     *Config
	id      component.ID
	root    string // <directory>/<component id>
	fs      segment.FS
	now     func() time.Time
	logger  *zap.Logger // at most one line a minute for each message
	breaker *breaker.Breaker
	tel     *coreTelemetry
	users   int // guarded by the registry

	opening   sync.Once
	openErr   error
	lock      io.Closer
	logBudget *segment.Budget
	deadSpace *segment.Budget

	// successes counts deliveries; permanents counts permanent errors since the last one.
	successes  atomic.Uint64
	permanents atomic.Int64
	// degraded: something has gone to the log and is not all out again.
	degraded atomic.Bool
	// cramped: at Start the file system had less room than log::min_free_disk_mib, and has not been found better.
	cramped atomic.Bool

	dropping sync.Mutex // held while segments are dropped to make room

	mu    sync.Mutex
	lanes map[*lane]component.Host
	left  time.Duration // of shutdown.Exporter, for the instances that are not shut down
}

func newCore(cfg *Config, set exporter.Settings) (*core, error) {
	c := &core{
		cfg: cfg,
		id:  set.ID,
		// A component's name may hold a slash; escaped, no two of them meet.
		root:  filepath.Join(cfg.Log.Directory, url.PathEscape(set.ID.String())),
		fs:    segment.OS{},
		now:   time.Now,
		lanes: map[*lane]component.Host{},
		left:  shutdown.Exporter,
		logger: set.Logger.WithOptions(zap.WrapCore(func(zc zapcore.Core) zapcore.Core {
			return zapcore.NewSamplerWithOptions(zc, time.Minute, 1, 0)
		})),
	}
	c.breaker = breaker.New(breaker.Settings{
		FailureThreshold: cfg.Breaker.FailureThreshold,
		SuccessThreshold: cfg.Breaker.SuccessThreshold,
		OpenInterval:     cfg.Breaker.OpenInterval,
		MaxOpenInterval:  cfg.Breaker.MaxOpenInterval,
		Now:              c.now,
		OnChange:         func(from, to breaker.State) { c.tel.transition(from, to) },
	})
	var err error
	c.tel, err = newCoreTelemetry(c, set)
	return c, err
}

// open takes the directory, once for all instances.
func (c *core) open() error {
	c.opening.Do(func() {
		if err := c.openDirectory(); err != nil {
			c.openErr = fmt.Errorf("log::directory: %w", err)
		}
	})
	return c.openErr
}

func (c *core) openDirectory() error {
	if !c.cfg.Log.CreateDirectory {
		if _, err := c.fs.ReadDir(c.cfg.Log.Directory); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("must exist, or create_directory be true (got %s)", c.cfg.Log.Directory)
		} else if err != nil {
			return err
		}
	}
	if err := c.fs.MkdirAll(c.root, segment.DirMode); err != nil {
		return err
	}
	lock, err := c.fs.Lock(filepath.Join(c.root, "lock"))
	if err != nil {
		return err
	}
	free := func() (int64, error) { return c.fs.Free(c.root) }
	c.lock = lock
	c.logBudget = &segment.Budget{Max: c.cfg.Log.MaxDiskMiB * mib, MinFree: c.cfg.Log.MinFreeDiskMiB * mib, Free: free}
	c.deadSpace = &segment.Budget{Max: c.cfg.DeadLetter.MaxDiskMiB * mib, MinFree: c.cfg.Log.MinFreeDiskMiB * mib, Free: free}
	return nil
}

func (c *core) close() error {
	c.tel.shutdown()
	if c.lock == nil {
		return nil
	}
	return c.lock.Close()
}

// shutdownTime limits ctx to what is left for the component's instances, which the Collector shuts down one after the
// other, and returns how to stop its clock.
func (c *core) shutdownTime(ctx context.Context) (context.Context, func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	begun := c.now()
	ctx, cancel := context.WithTimeout(ctx, c.left)
	return ctx, func() {
		cancel()
		c.mu.Lock()
		defer c.mu.Unlock()
		c.left = max(0, c.left-c.now().Sub(begun))
	}
}

func (c *core) attach(l *lane, host component.Host) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lanes[l] = host
}

func (c *core) detach(l *lane) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.lanes, l)
}

// eachLane calls f for the started lanes, which must not attach or detach.
func (c *core) eachLane(f func(*lane, component.Host)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for l, host := range c.lanes {
		f(l, host)
	}
}

// succeeded notes a delivery.
func (c *core) succeeded() {
	c.successes.Add(1)
	c.permanents.Store(0)
	c.maybeHealthy()
	c.roomAgain()
}

// fellBack reports that data goes to the log. The status is reported on the change only.
func (c *core) fellBack(cause error) {
	if c.cfg.Exporter.spec == nil || !c.degraded.CompareAndSwap(false, true) {
		return
	}
	c.logger.Warn("data goes to the local log", zap.Error(cause), zap.String("directory", c.root))
	c.report(componentstatus.NewRecoverableErrorEvent(cause))
}

// maybeHealthy reports that data goes out again, once the breaker is closed and the log is drained (with replay off
// nobody drains it). One atomic load while healthy.
func (c *core) maybeHealthy() {
	if !c.degraded.Load() || c.breaker.State() != breaker.Closed || c.cfg.Replay.Enabled && !c.empty() {
		return
	}
	if c.degraded.CompareAndSwap(true, false) {
		c.logger.Info("data goes out again and the local log is drained")
		if !c.cramped.Load() {
			c.report(componentstatus.NewEvent(componentstatus.StatusOK))
		}
	}
}

// checkRoom reports at Start what the log would refuse: the file system has no room for it. The start goes on, since a
// downstream that takes everything needs no disk, and a log that has filled it needs to drain.
func (c *core) checkRoom() {
	if err := c.room(); err != nil {
		c.cramped.Store(true)
		c.logger.Warn("nothing can be logged until there is more room on the disk", zap.Error(err))
		c.report(componentstatus.NewRecoverableErrorEvent(err))
	}
}

// roomAgain takes that report back once there is room. One atomic load otherwise.
func (c *core) roomAgain() {
	if !c.cramped.Load() || c.room() != nil || !c.cramped.CompareAndSwap(true, false) {
		return
	}
	c.logger.Info("there is room on the disk for the log")
	if !c.degraded.Load() {
		c.report(componentstatus.NewEvent(componentstatus.StatusOK))
	}
}

// room says why the file system has no room for a record.
func (c *core) room() error {
	need := c.cfg.Log.MinFreeDiskMiB
	if need == 0 {
		return nil
	}
	free, err := c.fs.Free(c.root)
	if err != nil {
		return fmt.Errorf("measure the free disk space: %w", err)
	}
	if free > need*mib {
		return nil
	}
	return fmt.Errorf("log::min_free_disk_mib: must be less than what is free on the file system of %s, %d MiB (got %d)",
		c.root, free/mib, need)
}

func (c *core) report(e *componentstatus.Event) {
	c.mu.Lock()
	hosts := make([]component.Host, 0, len(c.lanes))
	for _, h := range c.lanes {
		hosts = append(hosts, h)
	}
	c.mu.Unlock()
	for _, h := range hosts {
		componentstatus.ReportStatus(h, e)
	}
}

// empty reports whether every signal's log is drained.
func (c *core) empty() bool {
	empty := true
	c.eachLane(func(l *lane, _ component.Host) { empty = empty && l.log.Empty() })
	return empty
}

// drained is called when a lane has nothing left to replay. A half-open breaker would wait for probes that nobody makes.
func (c *core) drained() {
	if c.empty() {
		c.breaker.Close()
		c.maybeHealthy()
	}
}

// dropOldest makes room by dropping the oldest segment of all signals; false when there is none.
func (c *core) dropOldest() (bool, error) {
	var victim *lane
	var oldest time.Time
	c.eachLane(func(l *lane, _ component.Host) {
		if s := l.log.Stats(); s.Segments > 0 && (victim == nil || s.Begun.Before(oldest)) {
			victim, oldest = l, s.Begun
		}
	})
	if victim == nil {
		return false, nil
	}
	return victim.dropOldest()
}

// contextOr is ctx, cancelled also when also is.
func contextOr(ctx, also context.Context, timeout time.Duration) (context.Context, func()) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	stop := context.AfterFunc(also, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}
