package fallbacklog

import (
	"sync"
	"time"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/trend"
)

// forecastSamples cover a minute, with one sample per maintainEvery.
const forecastSamples = 61

// forecast predicts when the log will be full or drained if it goes on as in the last minute, or since the breaker closed if
// that is later. It is safe for concurrent use.
type forecast struct {
	maxBytes int64 // of all signals' logs together

	mu     sync.Mutex
	unread *trend.Trend // unread bytes; the bytes on disk would shrink only by whole segments
	free   *trend.Trend // bytes that the file system leaves the logs; without a sample it is not measured
	disk   int64        // bytes
}

func newForecast(maxBytes int64) *forecast {
	return &forecast{maxBytes: maxBytes, unread: trend.New(forecastSamples), free: trend.New(forecastSamples)}
}

// note adds the sums of all signals. It must be called at regular intervals.
func (o *forecast) note(now time.Time, unread, disk int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.unread.Add(now, float64(unread))
	if o.disk = disk; disk == 0 {
		o.free = trend.New(forecastSamples) // the free space in an earlier outage predicts nothing
	}
}

// noteFree adds the space that the file system leaves the logs, after note.
func (o *forecast) noteFree(now time.Time, free int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.free.Add(now, float64(max(0, free)))
}

// breakerClosed restarts the trends: the log that grew will shrink. It is called with the breaker locked.
func (o *forecast) breakerClosed() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.unread.Restart()
	o.free.Restart()
}

// full returns the seconds until the log has no room: until the logs have reached max_disk_mib, or until the file system is
// full, whichever is sooner. Others may also fill the file system. ok is false while the logs do not grow.
func (o *forecast) full() (seconds float64, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	slope := o.unread.Slope()
	if slope <= 0 {
		return 0, false
	}
	seconds = max(0, float64(o.maxBytes-o.disk)) / slope
	if fall := -o.free.Slope(); fall > 0 {
		seconds = min(seconds, o.free.Level()/fall)
	}
	return seconds, true
}

// drained returns the seconds until the log is drained, 0 if it is. ok is false while the log does not shrink.
func (o *forecast) drained() (seconds float64, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	level, slope := o.unread.Level(), o.unread.Slope()
	if level == 0 {
		return 0, true
	}
	if slope >= 0 {
		return 0, false
	}
	return level / -slope, true
}
