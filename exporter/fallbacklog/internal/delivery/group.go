package delivery

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/breaker"
)

// Settings of a group. Every field is required unless it says otherwise.
type Settings struct {
	Exports bool          // there is a downstream; false: everything goes to the log
	Timeout time.Duration // one attempt
	Budget  time.Duration // from a caller's data to its answer

	MaxAttempts     int
	InitialInterval time.Duration
	Multiplier      float64
	MaxInterval     time.Duration

	Replay               bool
	Strict               bool          // one request at a time, live data behind the log
	Concurrency          int           // requests of each lane's replay under way; Strict has one
	CoalesceBytes        int           // records become one request up to this size; 0: each is its own
	ReplayPerSecond      float64       // requests of each lane; 0: no limit
	ReplayBytesPerSecond float64       // of the records of each lane; 0: no limit
	MaxItemAge           time.Duration // of a record whose turn it is; 0: any
	MaxOpenInterval      time.Duration // the longest that a downstream may ask replay to wait
	MaxAge               time.Duration // of a record; 0: any

	OnFull OnFull

	// Permanent says whether the downstream's error is for good by its own word.
	Permanent func(error) bool
	Now       func() time.Time

	// Degraded is called when data begins to go to the log, Healthy when it goes out again and the log is drained; they
	// alternate. Both are called from any goroutine and must not call the group.
	Degraded func(cause error)
	Healthy  func()
}

// OnFull is what happens to data that the log has no room for.
type OnFull int

// The policies.
const (
	Reject     OnFull = iota // the caller gets an error
	DropOldest               // the oldest segment of the group goes, counted
	DropNewest               // the new data goes, counted
)

// Group is what the lanes of one component share. It is safe for concurrent use.
type Group struct {
	set     Settings
	breaker Breaker

	// permanents counts permanent errors since the last delivery.
	permanents atomic.Int64
	// degraded: something has gone to the log and is not all out again.
	degraded atomic.Bool

	dropping sync.Mutex // held while segments are dropped to make room

	mu    sync.Mutex
	lanes map[*Lane]struct{} // started and not shut down
}

// NewGroup returns a group without lanes.
func NewGroup(set Settings, b Breaker) *Group {
	return &Group{set: set, breaker: b, lanes: map[*Lane]struct{}{}}
}

// Degraded reports whether data goes to the log, or has and is not all out again.
func (g *Group) Degraded() bool { return g.degraded.Load() }

func (g *Group) attach(l *Lane) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.lanes[l] = struct{}{}
}

func (g *Group) detach(l *Lane) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.lanes, l)
}

// succeeded notes a delivery.
func (g *Group) succeeded() {
	g.permanents.Store(0)
	g.maybeHealthy()
}

// fellBack notes that data goes to the log.
func (g *Group) fellBack(cause error) {
	if g.set.Exports && g.degraded.CompareAndSwap(false, true) {
		g.set.Degraded(cause)
	}
}

// maybeHealthy notes that data goes out again, once the breaker is closed and the log is drained (with replay off
// nobody drains it). One atomic load while healthy.
func (g *Group) maybeHealthy() {
	if !g.degraded.Load() || g.breaker.State() != breaker.Closed || g.set.Replay && !g.empty() {
		return
	}
	if g.degraded.CompareAndSwap(true, false) {
		g.set.Healthy()
	}
}

// drained is called when a lane has nothing left to replay. A half-open breaker would wait for probes that nobody makes.
func (g *Group) drained() {
	if g.empty() {
		g.breaker.Close()
		g.maybeHealthy()
	}
}

// Tend lets the logs make up for what the disk has refused them, and returns the sums of their bytes on disk. It is for a
// timer, and may be called at any time.
func (g *Group) Tend() (unread, disk int64) {
	g.mu.Lock()
	lanes := slices.Collect(maps.Keys(g.lanes))
	g.mu.Unlock()
	for _, l := range lanes {
		l.tend()
		s := l.opt.Log.Stats()
		unread += s.UnreadDisk
		disk += s.Bytes
	}
	return unread, disk
}

// empty reports whether every lane's log is drained.
func (g *Group) empty() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for l := range g.lanes {
		if !l.opt.Log.Empty() {
			return false
		}
	}
	return true
}

// dropOldest makes room by dropping the oldest segment of all lanes; false when there is none.
func (g *Group) dropOldest() (bool, error) {
	var victim *Lane
	var oldest time.Time
	g.mu.Lock()
	for l := range g.lanes {
		if s := l.opt.Log.Stats(); s.Segments > 0 && (victim == nil || s.Begun.Before(oldest)) {
			victim, oldest = l, s.Begun
		}
	}
	g.mu.Unlock()
	if victim == nil {
		return false, nil
	}
	return victim.dropOldest()
}
