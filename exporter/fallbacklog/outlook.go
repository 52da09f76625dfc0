package fallbacklog

import (
	"sync"
	"time"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/trend"
)

// outlookSamples cover a minute at most, at one each tendEvery.
const outlookSamples = 61

// outlook says when the log will be full, or drained, if it goes on as in the last minute, or since the breaker closed
// where that is later. Safe for concurrent use.
type outlook struct {
	maxBytes int64 // of all signals' logs

	mu     sync.Mutex
	unread *trend.Trend // bytes: what is on disk shrinks by whole segments only
	free   *trend.Trend // bytes that the file system leaves the logs; without a sample it is not measured
	disk   int64        // bytes
}

func newOutlook(maxBytes int64) *outlook {
	return &outlook{maxBytes: maxBytes, unread: trend.New(outlookSamples), free: trend.New(outlookSamples)}
}

// note takes the sums of all signals, at regular moments.
func (o *outlook) note(now time.Time, unread, disk int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.unread.Add(now, float64(unread))
	if o.disk = disk; disk == 0 {
		o.free = trend.New(outlookSamples) // what it was in an earlier outage says nothing
	}
}

// noteFree adds what the file system leaves the logs, at the same moments.
func (o *outlook) noteFree(now time.Time, free int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.free.Add(now, float64(max(0, free)))
}

// turn says that the breaker has closed: what grew will shrink. It is called with the breaker locked.
func (o *outlook) turn() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.unread.Begin()
	o.free.Begin()
}

// full returns the seconds until there is no room: until the logs have grown to their bound, or until the file system has
// nothing left, which others may cause, whichever is sooner. ok is false while the logs do not grow.
func (o *outlook) full() (seconds float64, ok bool) {
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

// drained returns the seconds until there is nothing left, 0 when there is nothing; ok is false while the log does not
// shrink.
func (o *outlook) drained() (seconds float64, ok bool) {
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
