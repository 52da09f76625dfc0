package flush

import (
	"context"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"
)

// Sender calls the consumer with the batches of one flush, one at a time. Those that
// were refused with a retryable error are offered again, with growing pauses, until
// all are taken; what the flusher collects meanwhile waits in the series.
//
// The flusher reserves the sender before it builds batches, so that they are never
// built in vain.
type Sender struct {
	settings SenderSettings
	idle     chan struct{} // holds a token while there is no flush to hand on
	work     chan []offer
	ctx      context.Context
	cancel   context.CancelFunc
	done     chan struct{}
	held     atomic.Int64 // points not dealt with
	leave    atomic.Bool  // Close has given up
}

// SenderSettings configure a Sender.
type SenderSettings struct {
	// Consume is offered a batch; attempt is 1 the first time.
	Consume func(ctx context.Context, batch Batch, attempt int) error
	// Retryable tells whether the same batch may be taken later.
	Retryable func(error) bool
	// Mutates tells that the consumer may change a batch even when it refuses it.
	Mutates bool
	// MaxPause bounds the pauses between attempts, which are never above 5 s: a
	// shutdown that meets a pause has time for an attempt after it.
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
		idle:     make(chan struct{}, 1),
		work:     make(chan []offer, 1),
		ctx:      ctx, cancel: cancel,
		done: make(chan struct{}),
	}
	sender.idle <- struct{}{}
	go sender.run()
	return sender
}

// TryReserve reports whether the sender is free; Send must follow then.
func (s *Sender) TryReserve() bool {
	select {
	case <-s.idle:
		return true
	default:
		return false
	}
}

// Reserve waits until the sender is free or ctx is done.
func (s *Sender) Reserve(ctx context.Context) bool {
	select {
	case <-s.idle:
		return true
	case <-ctx.Done():
		return s.TryReserve()
	}
}

// Send takes the batches of a flush over and returns at once.
func (s *Sender) Send(batches []Batch) {
	offers := make([]offer, len(batches))
	for i, b := range batches {
		offers[i] = offer{b, int64(b.Metrics.DataPointCount())} // before the consumer owns it
		s.held.Add(offers[i].points)
	}
	s.work <- offers
}

// offer is a batch that is not dealt with.
type offer struct {
	Batch
	points int64
}

// Close waits until the last batch is taken or ctx is done, and returns how many
// points were not taken. A consumer that goes on after its context ended is left
// behind, and may still take the batch that it holds.
func (s *Sender) Close(ctx context.Context) (lost int) {
	close(s.work)
	select {
	case <-s.done:
		return int(s.held.Load())
	case <-ctx.Done():
	}
	s.cancel()
	timer := time.NewTimer(AbandonAfter)
	defer timer.Stop()
	select {
	case <-s.done:
	case <-timer.C:
		s.leave.Store(true)
	}
	return int(s.held.Load())
}

// AbandonAfter is how long a consumer has to notice that its context ended.
const AbandonAfter = 100 * time.Millisecond

func (s *Sender) run() {
	defer close(s.done)
	defer s.cancel()
	for offers := range s.work {
		s.deliver(offers)
		s.idle <- struct{}{}
	}
}

// deliver offers the batches in rounds, each round those that are left, so that one
// that is refused holds up no other. It returns when there is none, or after the
// round in which the context ended.
func (s *Sender) deliver(left []offer) {
	pause := min(firstPause, s.settings.MaxPause)
	for attempt := 1; ; attempt++ {
		left = s.round(left, attempt)
		if len(left) == 0 || !s.wait(pause) {
			return
		}
		pause = min(2*pause, s.settings.MaxPause)
	}
}

// round offers each batch once and returns those that are left, in their order.
func (s *Sender) round(offers []offer, attempt int) []offer {
	n := 0
	for _, o := range offers {
		if !s.leave.Load() && s.dealtWith(o.Batch, attempt) {
			s.held.Add(-o.points)
			continue
		}
		offers[n] = o
		n++
	}
	clear(offers[n:])
	return offers[:n]
}

// dealtWith offers a batch and reports whether it was taken, or refused for good,
// which the consumer's side has counted.
func (s *Sender) dealtWith(b Batch, attempt int) bool {
	if s.settings.Mutates {
		offered := pmetric.NewMetrics()
		b.Metrics.CopyTo(offered)
		b.Metrics = offered
	}
	err := s.settings.Consume(s.ctx, b, attempt)
	return err == nil || (!s.settings.Retryable(err) && s.ctx.Err() == nil)
}

func (s *Sender) wait(pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.ctx.Done():
		return false
	}
}
