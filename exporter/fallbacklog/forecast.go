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
func (f *forecast) note(now time.Time, unread, disk int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.unread.Add(now, float64(unread))
	if f.disk = disk; disk == 0 {
		f.free = trend.New(forecastSamples) // the free space in an earlier outage predicts nothing
	}
}

// noteFree adds the space that the file system leaves the logs, after note.
func (f *forecast) noteFree(now time.Time, free int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.free.Add(now, float64(max(0, free)))
}

// breakerClosed restarts the trends: the log that grew will shrink. It is called with the breaker locked.
func (f *forecast) breakerClosed() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.unread.Restart()
	f.free.Restart()
}

// full returns the seconds until the log has no room: until the logs have reached max_disk_mib, or until the file system is
// full, whichever is sooner. Others may also fill the file system. ok is false while the logs do not grow.
func (f *forecast) full() (seconds float64, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	slope := f.unread.Slope()
	if slope <= 0 {
		return 0, false
	}
	seconds = max(0, float64(f.maxBytes-f.disk)) / slope
	if fall := -f.free.Slope(); fall > 0 {
		seconds = min(seconds, f.free.Level()/fall)
	}
	return seconds, true
}

// drained returns the seconds until the log is drained, 0 if it is. ok is false while the log does not shrink.
func (f *forecast) drained() (seconds float64, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	level, slope := f.unread.Level(), f.unread.Slope()
	if level == 0 {
		return 0, true
	}
	if slope >= 0 {
		return 0, false
	}
	return level / -slope, true
}
