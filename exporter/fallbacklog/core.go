package fallbacklog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"
	"go.uber.org/zap"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/breaker"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/delivery"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/record"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
	"github.com/otelcol-custom/otelcol-custom/internal/sampled"
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

	published published

	opening  sync.Once
	openErr  error
	owner    *owner
	tended   chan struct{} // closed when tend has ended
	attended chan struct{} // closed when attend has ended
	// stopAttending ends attend.
	stopAttending context.CancelFunc
	closing       chan struct{} // closed by close
	logBudget     *segment.Budget
	deadSpace     *segment.Budget
	orphans       *orphans
	attendant     *attendant

	mu    sync.Mutex
	hosts map[any]component.Host // of the started instances
	left  time.Duration          // of shutdown.Exporter, for the instances that are not shut down
	until time.Time              // the deadline of the Shutdown under way; zero: there is none
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
		tended: make(chan struct{}), attended: make(chan struct{}), closing: make(chan struct{}),
		states: set.Logger.WithOptions(zap.WrapCore(withoutSignal)),
	}
	c.logger = sampled.Logger(c.states)
	c.published.begun = c.now()
	c.breaker = breaker.New(breaker.Settings{
		FailureThreshold: cfg.Breaker.FailureThreshold,
		SuccessThreshold: cfg.Breaker.SuccessThreshold,
		OpenInterval:     cfg.Breaker.OpenInterval,
		MaxOpenInterval:  cfg.Breaker.MaxOpenInterval,
		Now:              c.now,
		OnChange: func(from, to breaker.State) {
			c.tel.transition(from, to)
			c.published.turnedAt.Store(c.now().UnixNano())
			if to == breaker.Closed {
				c.outlook.turn()
			}
		},
	})
	var err error
	if c.codec, c.reader, err = cfg.formats(); err != nil {
		return nil, err
	}
	c.logBudget = c.budget(cfg.Log.MaxDiskMiB * mib)
	c.deadSpace = c.budget(cfg.DeadLetter.MaxDiskMiB * mib)
	c.group = c.newGroup()
	c.attendant = &attendant{core: c, lanes: map[string]*lane{}}
	c.orphans = &orphans{core: c, started: map[string]bool{}}
	c.outlook = newOutlook(cfg.Log.MaxDiskMiB * mib)
	c.tel, err = newCoreTelemetry(c, set)
	return c, err
}

// open takes the directory, once for all instances.
func (c *core) open() error {
	c.opening.Do(func() {
		if err := c.openDirectory(); err != nil {
			c.openErr = directoryError(err)
		}
	})
	return c.openErr
}

// directoryError is an error of log::directory. One that is about permissions says who the user is and how to give the
// directory to that user: the volumes of containers often belong to root.
func directoryError(err error) error {
	if !errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("log::directory: %w", err)
	}
	return fmt.Errorf("log::directory: must be writable for user %d: %w; in Kubernetes set securityContext.fsGroup, elsewhere chown the directory or its volume",
		os.Getuid(), err)
}

func (c *core) openDirectory() error {
	err := c.makeDir(c.root)
	readOnly := errors.Is(err, syscall.EROFS) // the component starts, reads what is there, and waits for the disk
	if err != nil && !readOnly {
		return err
	}
	if err := c.checkDirectories(); err != nil {
		return err
	}
	owner, err := own(c.fs, filepath.Join(c.root, "lock"), readOnly)
	if err != nil {
		return err
	}
	c.owner = owner
	c.checkVolume()
	go c.tend()
	ctx, stop := context.WithCancel(context.Background())
	c.stopAttending = stop
	go c.attend(ctx)
	return nil
}

// checkDirectories refuses directories that are symbolic links, and warns of directories that everybody may write to.
func (c *core) checkDirectories() error {
	for _, dir := range []string{c.cfg.Log.Directory, c.root} {
		fi, err := c.fs.Lstat(dir)
		switch {
		case errors.Is(err, fs.ErrNotExist): // on a read-only disk
		case err != nil:
			return err
		case fi.Mode()&fs.ModeSymlink != 0:
			return fmt.Errorf("%w (got %s)", segment.ErrLink, dir)
		case fi.Mode().Perm()&worldWritable != 0:
			c.logger.Warn("the log's directory is writable for everybody: who may write there may change, add or delete what is sent",
				zap.String("directory", dir), zap.Stringer("mode", fi.Mode()))
		}
	}
	return nil
}

// worldWritable is the permission of others to write.
const worldWritable fs.FileMode = 0o002

// checkVolume warns where the logs and dead letters of this process may use more of a file system than it has.
func (c *core) checkVolume() {
	on, err := c.fs.Volume(c.root)
	if err != nil || on == (segment.Volume{}) {
		return // nothing is known of it
	}
	bytes := c.cfg.Log.MaxDiskMiB * mib
	if c.cfg.DeadLetter.Enabled {
		bytes += c.cfg.DeadLetter.MaxDiskMiB * mib
	}
	if sum := promised.add(c, on, bytes); sum > on.Bytes {
		c.logger.Warn("the file system has less than the logs and dead letters on it may use: it is full before max_disk_mib is reached",
			zap.String("directory", c.root), zap.Int64("bytes", on.Bytes), zap.Int64("max_disk_bytes", sum))
	}
}

// budget of n bytes.
func (c *core) budget(n int64) *segment.Budget {
	return &segment.Budget{
		Max: n, MinFree: c.cfg.Log.MinFreeDiskMiB * mib,
		Free: func() (int64, error) { return c.fs.Free(c.root) },
	}
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
	c.withdraw()
	c.tel.shutdown()
	if c.owner == nil {
		return nil
	}
	close(c.closing)
	promised.remove(c)
	lookers.leave(c.cfg.Log.Directory, c)
	<-c.tended
	c.stopAttending()
	<-c.attended
	return c.owner.close()
}

// shutdownTime limits ctx to what is left for the component's instances, which the Collector shuts down one after the
// other, and returns how to stop its clock.
func (c *core) shutdownTime(ctx context.Context) (context.Context, func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	begun := c.now()
	ctx, cancel := context.WithTimeout(ctx, c.left)
	c.until = begun.Add(c.left)
	return ctx, func() {
		cancel()
		c.mu.Lock()
		defer c.mu.Unlock()
		c.left = max(0, c.left-c.now().Sub(begun))
		c.until = time.Time{}
	}
}

// minPatience is for how long a log waits for the disk when no time is left for the shutdown.
const minPatience = 100 * time.Millisecond

// patience is for how long a log waits for the disk: the budget of a batch, in a shutdown a quarter of what is left of it,
// as several logs are closed one after the other.
func (c *core) patience() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.until.IsZero() {
		return c.cfg.Budget
	}
	return min(c.cfg.Budget, max(minPatience, c.until.Sub(c.now())/4))
}
