package delivery

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/breaker"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/failure"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/health"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/record"
)

var (
	// ErrShutdown says that a batch came after Shutdown had begun.
	ErrShutdown = errors.New("the exporter is shut down")
	// ErrAbandoned says that the downstream's exporter still had something at the end of the time for Shutdown.
	ErrAbandoned = errors.New("the wrapped exporter does not come back")
	// errNotTried is the cause of what goes to the log untried before anything has failed.
	errNotTried = errors.New("not tried")
	// ErrEncode says that a batch cannot be written down: trying again would not help.
	ErrEncode = errors.New("encode for the log")
)

// Options of a lane. Every field is required but Reader and DeadLetter.
type Options struct {
	Signal     string       // traces, metrics or logs
	Codec      record.Codec // of what is written; records of any codec are read
	Reader     record.Reader
	Decode     Decode
	Observer   Observer
	Log        Log
	DeadLetter Log  // nil: what is refused for good goes back to the caller
	Strict     bool // one request at a time, live data behind the log
}

// The turns of the probes of a signal that waits.
const (
	probeAnother = iota
	probeOldest
	probeLive
	probeTurns
)

const (
	// fiveRefusals first refusals in a row are the downstream's fault, see the package comment.
	fiveRefusals = 5
	// refusedWait is how long a signal waits before its first probe, twice as long after each that fails, up to
	// maxRefusedWait.
	refusedWait    = time.Second
	maxRefusedWait = 10 * time.Second
)

// Lane is one signal's way: attempts, log, dead letter, replay. Consume is safe for concurrent use.
type Lane struct {
	group *Group
	opt   Options

	calls  *calls
	turn   *turn  // of live data; nil: none needs one
	window window // what replay has in memory

	refusals    *breaker.Breaker          // the rule of five; open while the signal waits
	lastRefusal atomic.Pointer[error]     // the last error that was a refusal
	probes      atomic.Uint64             // made while the signal waits
	recent      recent                    // requests
	successes   atomic.Uint64             // deliveries
	held        atomic.Pointer[time.Time] // until when the downstream has asked live data to wait
	unreadable  atomic.Bool               // the log, when replay last tried
	stuck       atomic.Bool               // replay has nothing to send: all that the log has is encrypted with another key
	unlogged    atomic.Int64              // bytes of the last record that the log refused
	unburied    atomic.Int64              // bytes of the last record that the dead letter refused

	draining sync.Once
	closing  chan struct{}   // closed when Shutdown begins
	grace    *time.Timer     // for the attempts in flight then; set by Drain
	cut      context.Context // cancelled when attempts must end
	cutNow   context.CancelFunc
	deserted chan struct{} // closed when nobody must wait for the wrapped exporter any more
	replayed chan struct{} // closed when replay has ended
	left     int           // records that the wrapped exporter had then; they are in the log
}

// NewLane returns a lane of the group that begins to replay its log at once. It owns the logs: Shutdown closes them.
func (g *Group) NewLane(opt Options) *Lane {
	l := &Lane{
		group: g, opt: opt,
		calls: newCalls(), closing: make(chan struct{}), deserted: make(chan struct{}), replayed: make(chan struct{}),
	}
	l.refusals = breaker.New(breaker.Settings{
		FailureThreshold: fiveRefusals, SuccessThreshold: 1,
		OpenInterval: min(refusedWait, g.set.MaxOpenInterval), MaxOpenInterval: min(maxRefusedWait, g.set.MaxOpenInterval), Now: g.set.Now,
		OnChange: l.refusalsChanged,
	})
	l.window = window{
		minRecords: max(windowMin, 2*g.set.Concurrency), maxBytes: (g.set.Concurrency + 1) * g.set.CoalesceBytes, inOrder: opt.Strict,
	}
	if opt.Strict {
		l.window.maxBytes += g.set.CoalesceBytes // what is decoded ahead has to be read ahead
	}
	if err := opt.Log.Try(0); err != nil {
		opt.Observer.Warn(failure.Log, "nothing can be logged for now", err)
		l.trouble(health.Appending, err)
	}
	if opt.Strict && g.set.Exports {
		l.turn = newTurn()
	}
	l.cut, l.cutNow = context.WithCancel(context.Background())
	g.attach(l)
	if g.set.Exports && g.set.Replay || g.set.MaxAge > 0 {
		go l.replay()
	} else {
		close(l.replayed)
	}
	return l
}

// refusalsChanged notes that the signal begins or ends to wait. It is called with the breaker locked.
func (l *Lane) refusalsChanged(from, to breaker.State) {
	if from == breaker.Closed {
		l.probes.Store(0)
	}
	switch to {
	case breaker.Closed:
		l.trouble(health.Refused, nil)
	case breaker.Open:
		l.trouble(health.Refused, *l.lastRefusal.Load())
	case breaker.HalfOpen: // it waits still
	}
}

// trouble notes that something is wrong with the signal, or with nil that it is over.
func (l *Lane) trouble(t health.Trouble, err error) { l.group.health.Set(l.opt.Signal, t, err) }

// LogCondition is why the lane's logs do not do what they are for; nil: they do.
func (l *Lane) LogCondition() error { return l.group.health.LogErr(l.opt.Signal) }

// succeeded notes a delivery.
func (l *Lane) succeeded() {
	l.successes.Add(1)
	l.group.delivered.Add(1)
	l.group.maybeHealthy()
}

func (l *Lane) stopping() bool {
	select {
	case <-l.closing:
		return true
	default:
		return false
	}
}
