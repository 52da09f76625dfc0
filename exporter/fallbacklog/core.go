package fallbacklog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"
	"go.uber.org/zap"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/breaker"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/delivery"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/record"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
	"github.com/otelcol-custom/otelcol-custom/internal/shutdown"
)

// core is what the signals of one component share: the directory and its lock, the disk budgets, the breaker, the
// component's status.
type core struct {
	cfg     *Config
	id      component.ID
	root    string        // <directory>/<component id>
	codec   record.Codec  // of what is written
	reader  record.Reader // of what is there
	fs      segment.FS
	now     func() time.Time
	logger  *zap.Logger // at most one line a minute for each message
	states  *zap.Logger // every change of state, and what is said at a bounded rate anyway
	breaker *breaker.Breaker
	group   *delivery.Group
	outlook *outlook
	outage  outage
	tel     *coreTelemetry
	users   int // guarded by the registry

	opening   sync.Once
	openErr   error
	owner     *owner
	tended    chan struct{} // closed when tend has ended
	closing   chan struct{} // closed by close
	logBudget *segment.Budget
	deadSpace *segment.Budget

	mu    sync.Mutex
	hosts map[any]component.Host // of the started instances
	left  time.Duration          // of shutdown.Exporter, for the instances that are not shut down
}

func newCore(cfg *Config, set exporter.Settings) (*core, error) {
	c := &core{
		cfg: cfg,
		id:  set.ID,
		// A component's name may hold a slash; escaped, no two of them meet.
		root:   filepath.Join(cfg.Log.Directory, url.PathEscape(set.ID.String())),
		fs:     segment.OS{},
		now:    time.Now,
		hosts:  map[any]component.Host{},
		left:   shutdown.Exporter,
		tended: make(chan struct{}), closing: make(chan struct{}),
		states: set.Logger.WithOptions(zap.WrapCore(withoutSignal)),
	}
	c.logger = sampled(c.states)
	c.breaker = breaker.New(breaker.Settings{
		FailureThreshold: cfg.Breaker.FailureThreshold,
		SuccessThreshold: cfg.Breaker.SuccessThreshold,
		OpenInterval:     cfg.Breaker.OpenInterval,
		MaxOpenInterval:  cfg.Breaker.MaxOpenInterval,
		Now:              c.now,
		OnChange: func(from, to breaker.State) {
			c.tel.transition(from, to)
			if to == breaker.Closed {
				c.outlook.turn()
			}
		},
	})
	var err error
	if c.codec, c.reader, err = cfg.formats(); err != nil {
		return nil, err
	}
	c.group = c.newGroup()
	c.outlook = newOutlook(cfg.Log.MaxDiskMiB*mib - cfg.headroom(cfg.Log.MaxDiskMiB*mib))
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
	if err := c.makeDir(c.root); err != nil {
		return err
	}
	owner, err := own(c.fs, filepath.Join(c.root, "lock"))
	if err != nil {
		return err
	}
	c.owner = owner
	c.logBudget = c.budget(c.cfg.Log.MaxDiskMiB * mib)
	c.deadSpace = c.budget(c.cfg.DeadLetter.MaxDiskMiB * mib)
	go c.tend()
	return nil
}

// budget of n bytes.
func (c *core) budget(n int64) *segment.Budget {
	return &segment.Budget{
		Max: n, Headroom: c.cfg.headroom(n), MinFree: c.cfg.Log.MinFreeDiskMiB * mib,
		Free: func() (int64, error) { return c.fs.Free(c.root) },
	}
}

// headroom is what of so many bytes is for the compressed copy of a segment: a quarter of one, more than OTLP JSON takes.
func (c *Config) headroom(n int64) int64 {
	if c.Log.Compression != CompressionZstd || c.Log.Format != FormatJSON {
		return 0
	}
	return min(c.Log.MaxSegmentSizeMiB*mib, n) / 4
}

// makeDir makes a directory in log::directory, and that too where it may.
func (c *core) makeDir(dir string) error {
	if !c.cfg.Log.CreateDirectory {
		if _, err := c.fs.ReadDir(c.cfg.Log.Directory); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("must exist, or create_directory be true (got %s)", c.cfg.Log.Directory)
		} else if err != nil {
			return err
		}
	}
	return segment.MakeDir(c.fs, dir)
}

func (c *core) close() error {
	c.tel.shutdown()
	if c.owner == nil {
		return nil
	}
	close(c.closing)
	<-c.tended
	return c.owner.close()
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
