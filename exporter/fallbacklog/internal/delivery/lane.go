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
	// ErrShutdown is returned for a batch that came after Shutdown had begun.
	ErrShutdown = errors.New("the exporter is shut down")
	// ErrAbandoned means that the wrapped exporter had not returned when the time for Shutdown was over.
	ErrAbandoned = errors.New("the wrapped exporter does not come back")
	// errNotTried is the cause of a batch that is logged without an attempt before anything has failed.
	errNotTried = errors.New("not tried")
	// ErrEncode means that a batch cannot be encoded as a record. Another attempt would not help.
	ErrEncode = errors.New("encode for the log")
)

// LaneOptions configure a lane. Every field except Reader and DeadLetter is required.
type LaneOptions struct {
	Signal     string       // traces, metrics or logs
	Codec      record.Codec // of new records; records of any codec are read
	Reader     record.Reader
	Decode     Decode
	Observer   Observer
	Log        Log
	DeadLetter RecordWriter // nil: a batch that is refused for good goes back to the caller
	Strict     bool         // one request at a time; live data waits behind the log
}

// The probes of a waiting signal are made by turns with these.
const (
	probeAnother = iota
	probeOldest
	probeLive
	probeTurns
)

const (
	// fiveRefusals consecutive first refusals mean that the downstream is at fault, see the package comment.
	fiveRefusals = 5
	// refusedWait is the wait of a signal before its first probe. It doubles after each failed probe, up to maxRefusedWait.
	refusedWait    = time.Second
	maxRefusedWait = 10 * time.Second
)

// Lane delivers one signal: attempts, log, dead letter and replay. Consume is safe for concurrent use.
type Lane struct {
	group *Group
	opt   LaneOptions

	calls  *calls
	turn   *turn  // order of live batches; nil unless the order is strict
	window window // records that replay has in memory

	refusalBreaker      *breaker.Breaker          // rule of five; not closed while the signal waits
	lastRefusal         atomic.Pointer[error]     // last error that was a refusal
	probes              atomic.Uint64             // probes made while the signal waits
	recent              recent                    // outcomes of the last requests
	successes           atomic.Uint64             // number of deliveries
	waitUntil           atomic.Pointer[time.Time] // end of the wait that the downstream has asked live data for
	unreadable          atomic.Bool               // replay's last read of the log failed
	onlyOtherKey        atomic.Bool               // all records left in the log are encrypted with another key
	refusedByLog        atomic.Int64              // size of the last record that the log refused, in bytes
	refusedByDeadLetter atomic.Int64              // size of the last record that the dead letter refused, in bytes

	shutdownBegun    sync.Once
	closing          chan struct{}   // closed when Shutdown begins
	graceTimer       *time.Timer     // calls cancelAttempts when the grace of attempts in flight is over; set by BeginShutdown
	attemptsCtx      context.Context // cancelled when all attempts must end
	cancelAttempts   context.CancelFunc
	abandoned        chan struct{} // closed when nothing waits for the wrapped exporter any more
	replayed         chan struct{} // closed when replay has ended
	abandonedRecords int           // records that the wrapped exporter had when it was abandoned; the log still has them
}

// NewLane returns a lane of the group and starts to replay its log. The lane owns the logs: Shutdown closes them.
func (g *Group) NewLane(opt LaneOptions) *Lane {
	l := &Lane{
		group: g, opt: opt,
		calls: newCalls(), closing: make(chan struct{}), abandoned: make(chan struct{}), replayed: make(chan struct{}),
	}
	l.refusalBreaker = breaker.New(breaker.Options{
		FailureThreshold: fiveRefusals, SuccessThreshold: 1,
		OpenInterval: min(refusedWait, g.opt.MaxOpenInterval), MaxOpenInterval: min(maxRefusedWait, g.opt.MaxOpenInterval), Now: g.opt.Now,
		OnChange: l.refusalsChanged,
	})
	l.window = window{
		minRecords: max(windowMin, 2*g.opt.Concurrency), maxBytes: (g.opt.Concurrency + 1) * g.opt.CoalesceBytes, inOrder: opt.Strict,
	}
	if opt.Strict {
		l.window.maxBytes += g.opt.CoalesceBytes // records are read ahead so that they can be decoded ahead
	}
	if err := opt.Log.CheckAppend(0); err != nil {
		opt.Observer.Warn(failure.Log, "nothing can be logged for now", err)
		l.setTrouble(health.Appending, err)
	}
	if opt.Strict && g.opt.Exports {
		l.turn = newTurn()
	}
	l.attemptsCtx, l.cancelAttempts = context.WithCancel(context.Background())
	g.attach(l)
	if g.opt.Exports && g.opt.Replay || g.opt.MaxAge > 0 {
		go l.replay()
	} else {
		close(l.replayed)
	}
	return l
}

// refusalsChanged records that the signal starts or stops waiting. The caller has locked the breaker.
func (l *Lane) refusalsChanged(from, to breaker.State) {
	if from == breaker.Closed {
		l.probes.Store(0)
	}
	switch to {
	case breaker.Closed:
		l.setTrouble(health.Refused, nil)
	case breaker.Open:
		l.setTrouble(health.Refused, *l.lastRefusal.Load())
	case breaker.HalfOpen: // the signal still waits
	}
}

// setTrouble records a trouble of the signal. A nil error ends the trouble.
func (l *Lane) setTrouble(t health.Trouble, err error) { l.group.health.Set(l.opt.Signal, t, err) }

// LogCondition returns the troubles of the lane's logs, or nil if the logs work.
func (l *Lane) LogCondition() error { return l.group.health.LogErr(l.opt.Signal) }

// succeeded counts a delivery.
func (l *Lane) succeeded() {
	l.successes.Add(1)
	l.group.delivered.Add(1)
	l.group.checkOutageEnd()
}

func (l *Lane) stopping() bool {
	select {
	case <-l.closing:
		return true
	default:
		return false
	}
}
