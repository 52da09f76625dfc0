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

// GroupOptions configure a group. Every field is required unless its comment says otherwise.
type GroupOptions struct {
	Exports bool          // false: no exporter is wrapped, everything goes to the log
	Timeout time.Duration // of one attempt
	Budget  time.Duration // for all attempts of a live batch, and again for its append

	MaxAttempts     int
	InitialInterval time.Duration
	Multiplier      float64
	MaxInterval     time.Duration

	Replay               bool
	Concurrency          int           // requests in flight per lane; a strict lane has one
	CoalesceBytes        int           // records are joined to one request up to this size; 0: each record is one request
	ReplayPerSecond      float64       // requests per lane; 0: no limit
	ReplayBytesPerSecond float64       // bytes of records per lane; 0: no limit
	MaxItemAge           time.Duration // of a record when it is its turn; 0: no limit
	MaxOpenInterval      time.Duration // longest wait that a downstream may ask for
	MaxAge               time.Duration // of a record; 0: no limit

	OnFull OnFull

	// Permanent reports whether the exporter marked the error as permanent.
	Permanent func(error) bool
	Now       func() time.Time

	// OutageBegan is called when data begins to go to the log. OutageEnded is called when data goes out again and the log is
	// drained. The calls alternate. Both may come from any goroutine and must not call the group, except LastFailure and
	// Delivered.
	OutageBegan func(cause error)
	OutageEnded func()
	// Troubled is called for each change of a signal's troubles. It may come from any goroutine and must not call the group.
	Troubled func(Change)
}

// Change is a change of a signal's troubles.
type Change = health.Change

// OnFull is the policy for data that the log has no room for.
type OnFull int

// The policies.
const (
	Reject     OnFull = iota // the caller gets an error
	DropOldest               // the oldest segment of the group is deleted and counted
	DropNewest               // the new data is dropped and counted
)

// Group is the state that the lanes of one component share. It is safe for concurrent use.
type Group struct {
	opt     GroupOptions
	breaker *breaker.Breaker

	health      *health.Health
	lastFailure atomic.Pointer[error] // of any attempt
	delivered   atomic.Uint64         // number of requests
	// outage is true from the first logged batch until the log is empty. It changes, and OutageBegan and OutageEnded are called,
	// with outageMu locked.
	outage   atomic.Bool
	outageMu sync.Mutex
	logging  int // batches that are being logged; guarded by outageMu

	dropper *segment.Dropper // for log::on_full drop_oldest

	mu    sync.Mutex
	lanes map[*Lane]struct{} // started and not shut down
}

// NewGroup returns a group without lanes.
func NewGroup(opt GroupOptions, b *breaker.Breaker) *Group {
	return &Group{opt: opt, breaker: b, health: health.New(opt.Troubled), dropper: segment.NewDropper(), lanes: map[*Lane]struct{}{}}
}

// ReportStatus calls report with all current troubles, or with nil if there is none. report must not call the group.
func (g *Group) ReportStatus(report func(error)) { g.health.Report(report) }

// LastFailure returns the error of the last attempt that failed, or nil if none has failed.
func (g *Group) LastFailure() error {
	if err := g.lastFailure.Load(); err != nil {
		return *err
	}
	return nil
}

// Delivered returns the number of requests that the downstream has accepted.
func (g *Group) Delivered() uint64 { return g.delivered.Load() }

// RefusedSignals returns the signals that wait because the downstream refuses all their data, sorted.
func (g *Group) RefusedSignals() (signals []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for l := range g.lanes {
		if l.refusalBreaker.State() != breaker.Closed {
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

// beginLogging records that a batch is being logged. endLogging follows. If the batch was not tried the cause is the last
// failure, which may be replay's.
func (g *Group) beginLogging(d disposition) {
	cause := d.cause
	if cause == nil {
		cause = g.LastFailure()
	}
	if cause == nil {
		cause = fmt.Errorf("%w: %s", errNotTried, d.reason)
	}
	g.outageMu.Lock()
	defer g.outageMu.Unlock()
	g.logging++
	if !g.outage.Load() {
		g.outage.Store(true)
		g.opt.OutageBegan(cause)
	}
}

// endLogging records that the append of a batch has ended. By then replay may already have delivered it.
func (g *Group) endLogging(logged bool) {
	g.outageMu.Lock()
	g.logging--
	g.outageMu.Unlock()
	if logged {
		g.checkOutageEnd()
	}
}

// checkOutageEnd ends the outage if it is over. Without an outage it costs one atomic load.
func (g *Group) checkOutageEnd() {
	if !g.outage.Load() || !g.outageIsOver() {
		return
	}
	g.outageMu.Lock()
	defer g.outageMu.Unlock()
	if g.logging == 0 && g.outage.Load() && g.outageIsOver() {
		g.outage.Store(false)
		g.opt.OutageEnded()
	}
}

// outageIsOver reports whether the breakers are closed and the log is drained. With replay off nothing drains the log, so it does
// not count.
func (g *Group) outageIsOver() bool {
	if g.breaker.State() != breaker.Closed || g.opt.Replay && !g.empty() {
		return false
	}
	return len(g.RefusedSignals()) == 0
}

// laneDrained is called when a lane has nothing left to replay. It closes a half-open breaker, which would otherwise wait for
// probes that nobody makes.
func (g *Group) laneDrained() {
	if g.empty() {
		g.breaker.Close()
		g.checkOutageEnd()
	}
}

// Maintain lets the logs repeat what the disk has refused, and returns the sums of their unread bytes and of their bytes on
// disk. A timer calls it.
func (g *Group) Maintain() (unread, disk int64) {
	g.mu.Lock()
	lanes := slices.Collect(maps.Keys(g.lanes))
	g.mu.Unlock()
	for _, l := range lanes {
		l.maintain()
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

// dropOldest drops the oldest segment of all lanes. It returns false if no lane has a segment.
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
