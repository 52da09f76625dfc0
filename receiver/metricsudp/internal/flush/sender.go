package flush

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"
)

// Sender calls the consumer, one batch at a time. A batch that was refused with a
// retryable error is offered again, with growing pauses, until it is taken; what
// the flusher collects meanwhile waits in the series.
//
// The flusher reserves the sender before it builds a batch, so that a batch is
// never built in vain.
type Sender struct {
	settings SenderSettings
	idle     chan struct{} // holds a token while there is no batch
	work     chan pmetric.Metrics
	ctx      context.Context
	cancel   context.CancelFunc
	done     chan struct{}
	lost     int // points; set before done is closed
}

// SenderSettings configure a Sender.
type SenderSettings struct {
	// Consume is offered a batch; attempt is 1 the first time.
	Consume func(ctx context.Context, batch pmetric.Metrics, attempt int) error
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
		work:     make(chan pmetric.Metrics, 1),
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

// Send takes a batch over and returns at once. An empty one is not handed on.
func (s *Sender) Send(batch pmetric.Metrics) { s.work <- batch }

// Close waits until the last batch is taken or ctx is done, and returns how many
// points of it were not taken. A consumer that goes on after its context ended is
// left behind.
func (s *Sender) Close(ctx context.Context) (lost int) {
	close(s.work)
	select {
	case <-s.done:
		return s.lost
	case <-ctx.Done():
	}
	s.cancel()
	timer := time.NewTimer(AbandonAfter)
	defer timer.Stop()
	select {
	case <-s.done:
		return s.lost
	case <-timer.C:
		return unknownLoss
	}
}

const (
	// AbandonAfter is how long a consumer has to notice that its context ended.
	AbandonAfter = 100 * time.Millisecond
	// unknownLoss stands for the batch that an abandoned consumer holds.
	unknownLoss = 1
)

func (s *Sender) run() {
	defer close(s.done)
	defer s.cancel()
	for batch := range s.work {
		if points := batch.DataPointCount(); points > 0 && !s.deliver(batch) {
			s.lost += points
		}
		s.idle <- struct{}{}
	}
}

// deliver reports whether the batch is dealt with: taken, or refused for good,
// which the consumer's side has counted.
func (s *Sender) deliver(batch pmetric.Metrics) bool {
	pause := min(firstPause, s.settings.MaxPause)
	for attempt := 1; ; attempt++ {
		offered := batch
		if s.settings.Mutates {
			offered = pmetric.NewMetrics()
			batch.CopyTo(offered)
		}
		err := s.settings.Consume(s.ctx, offered, attempt)
		if err == nil || (!s.settings.Retryable(err) && s.ctx.Err() == nil) {
			return true
		}
		if !s.wait(pause) {
			return false
		}
		pause = min(2*pause, s.settings.MaxPause)
	}
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
