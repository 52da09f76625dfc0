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

// fileSystem is the file system of the logs and of the component's directory.
type fileSystem interface {
	segment.FS
	segment.Volumes
	segment.Locker
}

// core is the state that the signals of one component share: the directory and its lock, the disk budgets, the breaker and the
// component's status.
type core struct {
	cfg       *Config
	id        component.ID
	root      string        // <directory>/<component id>
	codec     record.Codec  // of new records
	reader    record.Reader // of records with any codec
	fs        fileSystem
	now       func() time.Time
	logger    *zap.Logger // at most one line per minute for each message
	unsampled *zap.Logger // for changes of state, and for lines with a bounded rate of their own
	breaker   *breaker.Breaker
	group     *delivery.Group
	forecast  *forecast
	outage    outage
	tel       *coreTelemetry
	users     int // guarded by the registry

	published published

	opening    sync.Once
	openErr    error
	owner      *owner
	maintained chan struct{} // closed when maintain has ended
	served     chan struct{} // closed when serveRequests has ended
	// stopServing ends serveRequests.
	stopServing      context.CancelFunc
	closing          chan struct{} // closed by close
	logBudget        *segment.Budget
	deadLetterBudget *segment.Budget
	orphans          *orphans
	deadLetterServer *deadLetterServer

	mu               sync.Mutex
	hosts            map[any]component.Host // of the started instances
	shutdownLeft     time.Duration          // of shutdown.Exporter, for the instances that are not shut down yet
	shutdownDeadline time.Time              // deadline of the Shutdown that runs; zero: none runs
}

func newCore(cfg *Config, set exporter.Settings) (*core, error) {
	c := &core{
		cfg: cfg,
		id:  set.ID,
		// A component's name may contain a slash. Escaping keeps the directories of different names apart.
		root:         filepath.Join(cfg.Log.Directory, url.PathEscape(set.ID.String())),
		fs:           segment.OS{},
		now:          time.Now,
		hosts:        map[any]component.Host{},
		shutdownLeft: shutdown.Exporter,
		maintained:   make(chan struct{}), served: make(chan struct{}), closing: make(chan struct{}),
		unsampled: set.Logger.WithOptions(zap.WrapCore(withoutSignal)),
	}
	c.logger = sampled.Logger(c.unsampled)
	c.published.begun = c.now()
	c.breaker = breaker.New(breaker.Options{
		FailureThreshold: cfg.Breaker.FailureThreshold,
		SuccessThreshold: cfg.Breaker.SuccessThreshold,
		OpenInterval:     cfg.Breaker.OpenInterval,
		MaxOpenInterval:  cfg.Breaker.MaxOpenInterval,
		Now:              c.now,
		OnChange: func(from, to breaker.State) {
			c.tel.transition(from, to)
			if from == breaker.Closed || to == breaker.Closed { // a probe in between changes nothing for viewers
				c.published.breakerChangedAt.Store(c.now().UnixNano())
			}
			if to == breaker.Closed {
				c.forecast.breakerClosed()
			}
		},
	})
	var err error
	if c.codec, c.reader, err = cfg.formats(); err != nil {
		return nil, err
	}
	c.logBudget = c.budget(cfg.Log.MaxDiskMiB * mib)
	c.deadLetterBudget = c.budget(cfg.DeadLetter.MaxDiskMiB * mib)
	c.group = c.newGroup()
	c.deadLetterServer = &deadLetterServer{core: c, lanes: map[string]*lane{}}
	c.orphans = &orphans{core: c, started: map[string]bool{}}
	c.forecast = newForecast(cfg.Log.MaxDiskMiB * mib)
	c.tel, err = newCoreTelemetry(c, set)
	return c, err
}

// open locks the directory, once for all instances.
func (c *core) open() error {
	c.opening.Do(func() {
		if err := c.openDirectory(); err != nil {
			c.openErr = directoryError(err)
		}
	})
	return c.openErr
}

// directoryError wraps an error of log::directory. An error about permissions names the user and how to give the directory to
// that user, because the volumes of containers often belong to root.
func directoryError(err error) error {
	if !errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("log::directory: %w", err)
	}
	return fmt.Errorf("log::directory: must be writable for user %d: %w; in Kubernetes set securityContext.fsGroup, elsewhere chown the directory or its volume",
		os.Getuid(), err)
}

func (c *core) openDirectory() error {
	err := c.makeDir(c.root)
	readOnly := errors.Is(err, syscall.EROFS) // the component starts, replays the log, and waits until the disk is writable
	if err != nil && !readOnly {
		return err
	}
	if err := c.checkDirectories(); err != nil {
		return err
	}
	owner, err := lockDirectory(c.fs, filepath.Join(c.root, "lock"), readOnly)
	if err != nil {
		return err
	}
	c.owner = owner
	c.checkVolume()
	go c.maintain()
	ctx, stop := context.WithCancel(context.Background())
	c.stopServing = stop
	go c.serveRequests(ctx)
	return nil
}

// checkDirectories refuses directories that are symbolic links, and warns about directories that every user may write to.
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
			c.logger.Warn("the log's directory is writable for everybody: any user may change, add or delete the data that is sent",
				zap.String("directory", dir), zap.Stringer("mode", fi.Mode()))
		}
	}
	return nil
}

// worldWritable is the permission of other users to write.
const worldWritable fs.FileMode = 0o002

// checkVolume warns if the logs and dead letters of this process may use more space than their file system has.
func (c *core) checkVolume() {
	on, err := c.fs.Volume(c.root)
	if err != nil || on == (segment.Volume{}) {
		return // nothing is known about the file system
	}
	bytes := c.cfg.Log.MaxDiskMiB * mib
	if c.cfg.DeadLetter.Enabled {
		bytes += c.cfg.DeadLetter.MaxDiskMiB * mib
	}
	if sum := volumeUses.add(c, on, bytes); sum > on.Bytes {
		c.logger.Warn("the file system has less than the logs and dead letters on it may use: it will be full before max_disk_mib is reached",
			zap.String("directory", c.root), zap.Int64("bytes", on.Bytes), zap.Int64("max_disk_bytes", sum))
	}
}

// budget returns a budget of n bytes.
func (c *core) budget(n int64) *segment.Budget {
	return &segment.Budget{
		Max: n, MinFree: c.cfg.Log.MinFreeDiskMiB * mib,
		Free: func() (int64, error) { return c.fs.Free(c.root) },
	}
}

// makeDir creates a directory in log::directory, and log::directory itself unless create_directory is false.
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
	volumeUses.remove(c)
	orphanSearchers.leave(c.cfg.Log.Directory, c)
	<-c.maintained
	c.stopServing()
	<-c.served
	return c.owner.close()
}

// shutdownTime limits ctx to the shutdown time that is left, and returns a function that stops its clock. The Collector shuts
// the component's instances down one after the other.
func (c *core) shutdownTime(ctx context.Context) (context.Context, func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	begun := c.now()
	ctx, cancel := context.WithTimeout(ctx, c.shutdownLeft)
	c.shutdownDeadline = begun.Add(c.shutdownLeft)
	return ctx, func() {
		cancel()
		c.mu.Lock()
		defer c.mu.Unlock()
		c.shutdownLeft = max(0, c.shutdownLeft-c.now().Sub(begun))
		c.shutdownDeadline = time.Time{}
	}
}

// minWait is how long a log waits for the disk if no time is left for the shutdown.
const minWait = 100 * time.Millisecond

// maxWait returns how long a log waits for the disk: the budget of a batch. During a shutdown it is at most a quarter of the
// time left, because several logs are closed one after the other.
func (c *core) maxWait() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.shutdownDeadline.IsZero() {
		return c.cfg.Budget
	}
	return min(c.cfg.Budget, max(minWait, c.shutdownDeadline.Sub(c.now())/4))
}
