package fallbacklog

import (
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
	for {
		select {
		case <-c.closing:
			return
		case <-t.C:
			if err := c.owner.check(); err != nil && !errors.Is(err, fs.ErrNotExist) { // the logs make the directory again
				c.logger.Error("the lock of the directory is in trouble", zap.String(errorType, string(failure.Log)), zap.Error(err), zap.String("directory", c.root))
			}
			unread, disk := c.group.Tend()
			c.outlook.note(c.now(), unread, disk)
			c.tellOutage(unread)
		}
	}
}
