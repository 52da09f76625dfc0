package event

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-custom/otelcol-custom/internal/wait"
)

// Settings of a sender.
type Settings struct {
	Queue   *Queue
	Builder *Builder
	// Consume is offered a batch; attempt is 1 the first time.
	Consume func(ctx context.Context, logs plog.Logs, attempt int) error
	// Retryable reports whether the same batch may be accepted later.
	Retryable func(error) bool
	// Mutates says that the consumer may change a batch even when it refuses it.
	Mutates bool
	// AbandonAfter is how long a consumer has to notice that its context ended.
	AbandonAfter time.Duration
}

// Sender offers what is in the queue, one batch at a time. A batch that was refused with a
// retryable error is offered again, with growing pauses, while the queue fills up behind it.
type Sender struct {
	Settings
	ctx     context.Context // of the consumer
	cancel  context.CancelFunc
	closing chan struct{}
	done    chan struct{}
	held    atomic.Int64 // records of the batch that is being offered
}

const (
	maxBatch   = 1000
	firstPause = 100 * time.Millisecond
	maxPause   = 5 * time.Second
)

// NewSender returns a sender for which Run is to be called once.
func NewSender(s Settings) *Sender {
	sender := &Sender{Settings: s, closing: make(chan struct{}), done: make(chan struct{})}
	sender.ctx, sender.cancel = context.WithCancel(context.Background())
	return sender
}

// Run sends until Close, and what is in the queue then.
func (s *Sender) Run() {
	defer close(s.done)
	for {
		if lines := s.Queue.remove(maxBatch); len(lines) > 0 {
			if !s.deliver(lines) {
				return
			}
			continue
		}
		select {
		case <-s.Queue.filled:
		case <-s.closing:
			if s.Queue.Len() == 0 {
				return
			}
		}
	}
}

// deliver reports false when the shutdown's time was over.
func (s *Sender) deliver(lines []Line) bool {
	logs := s.Builder.build(lines)
	s.held.Store(int64(len(lines)))
	pause := firstPause
	for attempt := 1; ; attempt++ {
		offered := logs
		if s.Mutates {
			offered = plog.NewLogs()
			logs.CopyTo(offered)
		}
		err := s.Consume(s.ctx, offered, attempt)
		if err == nil || !s.Retryable(err) && s.ctx.Err() == nil {
			s.held.Store(0)
			return true
		}
		if wait.For(s.ctx.Done(), pause) {
			return false
		}
		pause = min(2*pause, maxPause)
	}
}

// ErrNotHandedOn is returned by Wait where the consumer did not accept the last records in time.
var ErrNotHandedOn = errors.New("log records were not handed on before the end of shutdown")

// Close says that no line is added to the queue any more: Run ends after the last one.
func (s *Sender) Close() { close(s.closing) }

// Wait returns after Close when the consumer has accepted all, or when ctx is done. A consumer that
// goes on after its context ended is left behind.
func (s *Sender) Wait(ctx context.Context) error {
	select {
	case <-s.done:
	case <-ctx.Done():
		s.cancel()
		wait.For(s.done, s.AbandonAfter)
	}
	s.cancel()
	if lost := s.held.Load() + int64(s.Queue.Len()); lost > 0 {
		return fmt.Errorf("%w: %d", ErrNotHandedOn, lost)
	}
	return nil
}
