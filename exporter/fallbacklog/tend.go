package fallbacklog

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"go.uber.org/zap"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/failure"
)

// tendEvery is how often the logs are tended. A cursor is as old as that at most, see segment.Log.
const tendEvery = time.Second

// tend lets the logs make up for what the disk has refused them, which nothing else may come back to for hours, and
// watches how they grow.
func (c *core) tend() {
	defer close(c.tended)
	t := time.NewTicker(tendEvery)
	defer t.Stop()
	orphans := time.NewTimer(orphansAfter)
	defer orphans.Stop()
	for {
		select {
		case <-c.closing:
			return
		case <-orphans.C:
			if c.orphans.look(); c.orphans.bytes.Load() > 0 {
				orphans.Reset(orphansEvery)
			}
		case <-t.C:
			if errors.Is(c.owner.err(), errNoLock) {
				_ = c.makeDir(c.root) // on a disk that was read-only at start; check says what is wrong
			}
			if err := c.owner.check(); err != nil && !errors.Is(err, fs.ErrNotExist) { // the logs make the directory again
				c.logger.Error("the lock of the directory is in trouble", zap.String(errorType, string(failure.Log)), zap.Error(err), zap.String("directory", c.root))
			}
			unread, disk := c.group.Tend()
			c.outlook.note(c.now(), unread, disk)
			if disk > 0 { // a healthy component leaves the disk alone
				if free, ok := c.logBudget.Left(); ok {
					c.outlook.noteFree(c.now(), free)
				}
			}
			c.tellOutage(unread)
			c.attendant.tellBurials()
		}
	}
}

// attend looks for requests about the dead letter, which may take long, until ctx ends.
func (c *core) attend(ctx context.Context) {
	defer close(c.attended)
	t := time.NewTicker(tendEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			c.attendant.serve(ctx)
		}
	}
}
