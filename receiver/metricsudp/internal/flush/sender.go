package flush

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/wait"
)

// Sender calls the consumer with batches, one at a time. A batch that is refused with a retryable error is offered
// again unchanged, with growing pauses, until it is accepted or the flusher takes it back ([Sender.Recall]).
//
// The flusher reserves the sender before it builds batches, so that it never builds them in vain. What it collects
// meanwhile waits in the series.
type Sender struct {
	settings SenderSettings
	idle     chan []offer // has an element while the sender waits for work: what the flusher recalled
	work     chan []offer
	ctx      context.Context
	cancel   context.CancelFunc
	done     chan struct{}
	wake     chan struct{} // ends a pause
	returned chan struct{} // has an element after a recall during a round
	held     atomic.Int64  // points of the offers that the sender has
	leave    atomic.Bool   // Close has given up

	mu       sync.Mutex // guards the two below
	offering bool       // a round is under way: the consumer may be called
	recalled bool       // the flusher wants the offers back after this round
}

// SenderSettings configure a Sender.
type SenderSettings struct {
	// Consume is offered a batch; attempt is 1 the first time.
	Consume func(ctx context.Context, batch Batch, attempt int) error
	// Retryable reports whether the same batch may be accepted later.
	Retryable func(error) bool
	// Mutates says that the consumer may change a batch even when it refuses it.
	Mutates bool
	// MaxPause bounds the pauses between attempts, which are never above 5 s: a shutdown that falls into a pause has
	// time for an attempt after it.
	MaxPause time.Duration
}

// firstPause is the pause after the first refusal; each later one is twice as long.
const firstPause = 100 * time.Millisecond

const longestPause = 5 * time.Second

// NewSender starts the sender's goroutine, which Close ends.
func NewSender(s SenderSettings) *Sender {
	s.MaxPause = min(s.MaxPause, longestPause)
	ctx, cancel := context.WithCancel(context.Background())
	sender := &Sender{
		settings: s,
		idle:     make(chan []offer, 1),
		work:     make(chan []offer, 1),
		ctx:      ctx, cancel: cancel,
		done: make(chan struct{}),
		wake: make(chan struct{}, 1), returned: make(chan struct{}, 1),
	}
	sender.idle <- nil
	go sender.run()
	return sender
}

// offer is a batch that was not accepted yet.
type offer struct {
	Batch
	points   int64
	attempts int
}

func newOffer(b Batch) offer {
	return offer{Batch: b, points: int64(b.Metrics.DataPointCount())} // counted before the consumer owns it
}

// TryReserve reports whether the sender waits for work; Send must follow then. It returns the offers that an earlier
// Recall asked for.
func (s *Sender) TryReserve() (left []offer, ok bool) {
	select {
	case left = <-s.idle:
		return s.takeBack(left), true
	default:
		return nil, false
	}
}

// Recall reserves a sender that pauses after a refusal and returns what was refused; Send must follow. While the
// consumer is being called it reports false. Returned then says when TryReserve can return what this call refuses.
func (s *Sender) Recall() (left []offer, ok bool) {
	if s.recall() {
		return nil, false
	}
	return s.takeBack(<-s.idle), true
}

// Returned has an element when a sender that was recalled during a call of the consumer has come to wait.
func (s *Sender) Returned() <-chan struct{} { return s.returned }

// Reserve recalls what is refused and waits for it until ctx is done.
func (s *Sender) Reserve(ctx context.Context) (left []offer, ok bool) {
	s.recall()
	select {
	case left = <-s.idle:
		return s.takeBack(left), true
	case <-ctx.Done():
		return s.TryReserve()
	}
}

func (s *Sender) takeBack(left []offer) []offer {
	for i := range left {
		s.held.Add(-left[i].points)
	}
	return left
}

// recall asks for the offers and reports whether a round is under way.
func (s *Sender) recall() (offering bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recalled = true
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return s.offering
}

// Send hands offers over and returns at once. The sender keeps their order.
func (s *Sender) Send(offers []offer) {
	for i := range offers {
		s.held.Add(offers[i].points)
	}
	s.forgetRecall()
	s.work <- offers
}

func (s *Sender) forgetRecall() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recalled = false
	for _, signal := range []chan struct{}{s.wake, s.returned} {
		select {
		case <-signal:
		default:
		}
	}
}

// Close waits until every offer is accepted or ctx is done, and returns how many points were not accepted. A consumer
// that goes on after its context ended is left behind, and may still accept the batch that it holds.
func (s *Sender) Close(ctx context.Context) (lost int) {
	close(s.work)
	select {
	case <-s.done:
		return int(s.held.Load())
	case <-ctx.Done():
	}
	s.cancel()
	if !wait.For(s.done, AbandonAfter) {
		s.leave.Store(true)
	}
	return int(s.held.Load())
}

// AbandonAfter is how long a consumer has to notice that its context ended.
const AbandonAfter = 100 * time.Millisecond

func (s *Sender) run() {
	defer close(s.done)
	defer s.cancel()
	pause := s.firstPause()
	for offers := range s.work {
		left := s.deliver(offers, &pause)
		s.idle <- left
		if len(left) > 0 {
			select {
			case s.returned <- struct{}{}:
			default:
			}
		}
	}
}

func (s *Sender) firstPause() time.Duration { return min(firstPause, s.settings.MaxPause) }

// deliver offers the batches in rounds, each round those that are left, so that a refused one does not hold up
// another. It returns what is left when it is recalled, and after the round in which the context ended. The pause goes
// on growing over recalls, until a round leaves nothing.
func (s *Sender) deliver(left []offer, pause *time.Duration) []offer {
	for s.beginRound() {
		left = s.round(left)
		s.endRound()
		if len(left) == 0 {
			*pause = s.firstPause()
			return nil
		}
		if !s.wait(*pause) {
			return left
		}
		*pause = min(2*(*pause), s.settings.MaxPause)
	}
	return left
}

// beginRound reports false where the offers are recalled.
func (s *Sender) beginRound() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offering = !s.recalled
	return s.offering
}

func (s *Sender) endRound() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offering = false
}

// round offers each batch once and returns those that are left, in their order.
func (s *Sender) round(offers []offer) []offer {
	n := 0
	for _, o := range offers {
		o.attempts++
		if !s.leave.Load() && s.isDone(&o) {
			s.held.Add(-o.points)
			continue
		}
		offers[n] = o
		n++
	}
	clear(offers[n:])
	return offers[:n]
}

// isDone offers a batch and reports whether it was accepted, or refused for good, which the consumer's side has
// counted.
func (s *Sender) isDone(o *offer) bool {
	b := o.Batch
	if s.settings.Mutates {
		offered := pmetric.NewMetrics()
		b.Metrics.CopyTo(offered)
		b.Metrics = offered
	}
	err := s.settings.Consume(s.ctx, b, o.attempts)
	return err == nil || (!s.settings.Retryable(err) && s.ctx.Err() == nil)
}

// wait reports whether the context still runs. A recall ends the pause early.
func (s *Sender) wait(pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.wake:
		return true
	case <-s.ctx.Done():
		return false
	}
}
