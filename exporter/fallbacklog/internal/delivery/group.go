package delivery

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/breaker"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/health"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
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
	Concurrency          int           // requests of each lane's replay under way; a strict lane has one
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
	// alternate. Both are called from any goroutine and must not call the group, except for LastFailure and Delivered.
	Degraded func(cause error)
	Healthy  func()
	// Troubled is called with each change of what is wrong. It is called from any goroutine and must not call the group.
	Troubled func(Change)
}

// Change is a change of what is wrong with a signal.
type Change = health.Change

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

	health      *health.Health
	lastFailure atomic.Pointer[error] // of any attempt
	delivered   atomic.Uint64         // requests
	// degraded is true from the first logged batch until the log is empty. It changes, and Degraded and Healthy are called,
	// with status held.
	degraded atomic.Bool
	status   sync.Mutex
	storing  int // batches on their way to a log; guarded by status

	room *segment.Room // for DropOldest

	mu    sync.Mutex
	lanes map[*Lane]struct{} // started and not shut down
}

// NewGroup returns a group without lanes.
func NewGroup(set Settings, b Breaker) *Group {
	return &Group{set: set, breaker: b, health: health.New(set.Troubled), room: segment.NewRoom(), lanes: map[*Lane]struct{}{}}
}

// Tell calls to with what is wrong now; nil: nothing. to must not call the group.
func (g *Group) Tell(to func(error)) { g.health.Tell(to) }

// LastFailure is the error of the last attempt that failed; nil: none has.
func (g *Group) LastFailure() error {
	if err := g.lastFailure.Load(); err != nil {
		return *err
	}
	return nil
}

// Delivered is the number of requests that the downstream has accepted. It may be called at any time.
func (g *Group) Delivered() uint64 { return g.delivered.Load() }

// Refused returns the signals that wait because the downstream refuses all of their data, sorted.
func (g *Group) Refused() (signals []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for l := range g.lanes {
		if l.refusals.State() != breaker.Closed {
			signals = append(signals, l.opt.Signal)
		}
	}
	slices.Sort(signals)
	return signals
}

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

// fallsBack notes that a batch is on its way to a log. fellBack follows. The cause of one that was not tried is the last
// failure, be it the replay's.
func (g *Group) fallsBack(d disposition) {
	cause := d.cause
	if cause == nil {
		cause = g.LastFailure()
	}
	if cause == nil {
		cause = fmt.Errorf("%w: %s", errNotTried, d.reason)
	}
	g.status.Lock()
	defer g.status.Unlock()
	g.storing++
	if !g.degraded.Load() {
		g.degraded.Store(true)
		g.set.Degraded(cause)
	}
}

// fellBack notes that a batch is in the log, or is not; it may be out of it again.
func (g *Group) fellBack(logged bool) {
	g.status.Lock()
	g.storing--
	g.status.Unlock()
	if logged {
		g.maybeHealthy()
	}
}

// maybeHealthy notes that data goes out again, once it is well. One atomic load while healthy.
func (g *Group) maybeHealthy() {
	if !g.degraded.Load() || !g.well() {
		return
	}
	g.status.Lock()
	defer g.status.Unlock()
	if g.storing == 0 && g.degraded.Load() && g.well() {
		g.degraded.Store(false)
		g.set.Healthy()
	}
}

// well reports whether the breakers are closed and the log is drained (with replay off nobody drains it).
func (g *Group) well() bool {
	if g.breaker.State() != breaker.Closed || g.set.Replay && !g.empty() {
		return false
	}
	return len(g.Refused()) == 0
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
		unread += s.Unread
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
