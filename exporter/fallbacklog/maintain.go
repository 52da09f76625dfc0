package fallbacklog

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"go.uber.org/zap"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/failure"
)

// maintainEvery is the interval of maintenance. It bounds the age of the saved cursor, see segment.Log.
const maintainEvery = time.Second

// maintain lets the logs repeat what the disk has refused, checks the lock, and records how the logs grow. Without it a log
// without new data would not try again for hours.
func (c *core) maintain() {
	defer close(c.maintained)
	t := time.NewTicker(maintainEvery)
	defer t.Stop()
	orphans := time.NewTimer(orphansAfter)
	defer orphans.Stop()
	for {
		select {
		case <-c.closing:
			return
		case <-orphans.C:
			if c.orphans.search(); c.orphans.bytes.Load() > 0 {
				orphans.Reset(orphansEvery)
			}
		case <-t.C:
			if errors.Is(c.owner.err(), errNoLock) {
				_ = c.makeDir(c.root) // the disk was read-only at start; check reports the error
			}
			if err := c.owner.check(); err != nil && !errors.Is(err, fs.ErrNotExist) { // the logs create the directory again
				c.logger.Error("the lock of the directory cannot be verified", zap.String(errorType, string(failure.Log)), zap.Error(err), zap.String("directory", c.root))
			}
			unread, disk := c.group.Maintain()
			c.forecast.note(c.now(), unread, disk)
			if disk > 0 { // a healthy component does not access the disk
				if free, ok := c.logBudget.Available(); ok {
					c.forecast.noteFree(c.now(), free)
				}
			}
			c.logOutage(unread)
			c.deadLetterServer.logDeadLettered()
		}
	}
}

// serveRequests serves requests about the dead letter until ctx ends. A request may last long, so it has a goroutine of its
// own.
func (c *core) serveRequests(ctx context.Context) {
	defer close(c.served)
	t := time.NewTicker(maintainEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			c.deadLetterServer.serve(ctx)
		}
	}
}
