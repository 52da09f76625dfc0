package delivery

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/breaker"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/failure"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/record"
)

// Reasons why data went to the log.
const (
	reasonLogOnly  = "log_only"         // there is no downstream
	reasonOpen     = "breaker_open"     // not tried, or not tried again
	reasonAttempts = "max_attempts"     // all attempts failed
	reasonBudget   = "budget"           // no time for another attempt
	reasonCanceled = "canceled"         // the caller gave up; the data is kept all the same
	reasonBehind   = "behind"           // strict: older data was not delivered yet
	reasonShutdown = "shutdown"         // in flight at Shutdown
	reasonSystemic = "systemic"         // refused in a way that would refuse everything
	reasonOpaque   = "opaque_permanent" // refused without a reason that a program can read
	reasonPoison   = "poison"           // dead letter: failed three times while others passed
	reasonRefused  = "permanent"        // dead letter: refused for good
)

// Reasons why data was dropped.
const (
	droppedFull     = "full"            // log::on_full gave it up
	droppedRejected = "partial_success" // the downstream has rejected it in an answer that takes the rest
)

var (
	// ErrShutdown says that a batch came after Shutdown had begun.
	ErrShutdown = errors.New("the exporter is shut down")
	// ErrAbandoned says that the downstream's exporter still had something at the end of the time for Shutdown.
	ErrAbandoned = errors.New("the wrapped exporter does not come back")
	// errNotTried is the cause of what goes to the log untried.
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
	DeadLetter Log // nil: what is refused for good goes back to the caller
}

// Lane is one signal's way: attempts, log, dead letter, replay. Consume is safe for concurrent use.
type Lane struct {
	group *Group
	opt   Options

	calls  *calls
	turn   *turn  // of live data; nil: none needs one
	window window // what replay has in memory

	// parked is open while all of the lane's data would be refused, and others' is not.
	parked     *breaker.Breaker
	successes  atomic.Uint64             // deliveries
	others     atomic.Uint64             // those of the other lanes when the lane's data was last refused as a whole
	permanents atomic.Int64              // permanent errors since the last delivery
	held       atomic.Pointer[time.Time] // until when the downstream has asked live data to wait
	unreadable atomic.Bool               // the log, when replay last tried
	stuck      atomic.Bool               // replay has nothing to send: all that the log has is encrypted with another key
	condition  condition                 // of the logs

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
		calls: newCalls(), parked: g.newParked(), closing: make(chan struct{}), deserted: make(chan struct{}), replayed: make(chan struct{}),
	}
	l.window = window{
		minRecords: max(windowMin, 2*g.set.Concurrency), maxBytes: (g.set.Concurrency + 1) * g.set.CoalesceBytes, inOrder: g.set.Strict,
	}
	l.condition.tell = func(why error) { g.set.LogDegraded(opt.Signal, why) }
	if err := opt.Log.Try(0); err != nil {
		opt.Observer.Warn(failure.Log, "nothing can be logged for now", err)
		l.condition.set(appending, err)
	}
	if g.set.Strict {
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

// newParked returns a lane's own breaker: open for as long as a probe waits at most, closed by the first success.
func (g *Group) newParked() *breaker.Breaker {
	return breaker.New(breaker.Settings{
		FailureThreshold: 1, SuccessThreshold: 1,
		OpenInterval: g.set.MaxOpenInterval, MaxOpenInterval: g.set.MaxOpenInterval, Now: g.set.Now,
	})
}

// LogCondition is why the lane's logs do not do what they are for; nil: they do.
func (l *Lane) LogCondition() error { return l.condition.err() }

// succeeded notes a delivery.
func (l *Lane) succeeded() {
	l.permanents.Store(0)
	l.successes.Add(1)
	l.group.deliveries.Add(1)
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
