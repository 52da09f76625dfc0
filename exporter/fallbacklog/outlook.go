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
	capacity int64 // bytes

	mu     sync.Mutex
	unread *trend.Trend // bytes: what is on disk shrinks by whole segments only
	disk   int64        // bytes
}

func newOutlook(capacity int64) *outlook {
	return &outlook{capacity: capacity, unread: trend.New(outlookSamples)}
}

// note takes the sums of all signals, at regular moments.
func (o *outlook) note(now time.Time, unread, disk int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.unread.Add(now, float64(unread))
	o.disk = disk
}

// turn says that the breaker has closed: what grew will shrink. It is called with the breaker locked.
func (o *outlook) turn() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.unread.Begin()
}

// full returns the seconds until there is no room; ok is false while the log does not grow.
func (o *outlook) full() (seconds float64, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	slope := o.unread.Slope()
	if slope <= 0 {
		return 0, false
	}
	return max(0, float64(o.capacity-o.disk)) / slope, true
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
