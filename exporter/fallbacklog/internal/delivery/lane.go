package delivery

import (
	"context"
	"errors"
	"sync/atomic"

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

	calls     *calls
	turn      *turn           // of live data; nil: none needs one
	successes atomic.Uint64   // deliveries
	stuck     atomic.Bool     // replay has nothing to send: all that the log has is encrypted with another key
	closing   chan struct{}   // closed when Shutdown begins
	cut       context.Context // cancelled when attempts must end
	cutNow    context.CancelFunc
	deserted  chan struct{} // closed when replay must not wait for the wrapped exporter any more
	replayed  chan struct{} // closed when replay has ended
	left      int           // records that the wrapped exporter had then; they are in the log
}

// NewLane returns a lane of the group that begins to replay its log at once. It owns the logs: Shutdown closes them.
func (g *Group) NewLane(opt Options) *Lane {
	l := &Lane{
		group: g, opt: opt,
		calls: newCalls(), closing: make(chan struct{}), deserted: make(chan struct{}), replayed: make(chan struct{}),
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

// succeeded notes a delivery.
func (l *Lane) succeeded() {
	l.successes.Add(1)
	l.group.succeeded()
}

func (l *Lane) stopping() bool {
	select {
	case <-l.closing:
		return true
	default:
		return false
	}
}
