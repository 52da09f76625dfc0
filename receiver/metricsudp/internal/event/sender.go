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

// Options of a sender.
type Options struct {
	Queue   *Queue
	Builder *Builder
	// Consume offers a batch to the consumer. attempt is 1 the first time.
	Consume func(ctx context.Context, logs plog.Logs, attempt int) error
	// Retryable reports whether the same batch may be accepted later.
	Retryable func(error) bool
	// Mutates is true if the consumer may change a batch, even one that it refuses.
	Mutates bool
	// AbandonAfter is the time that a consumer has to return after its context has ended.
	AbandonAfter time.Duration
}

// Sender offers the lines of the queue to the consumer, one batch at a time. A batch that is refused with a retryable error is
// offered again, with growing pauses. Meanwhile the queue fills up.
type Sender struct {
	Options
	ctx           context.Context // for the consumer
	cancel        context.CancelFunc
	closing       chan struct{}
	done          chan struct{}
	unsentRecords atomic.Int64 // records of the batch that is being offered
}

const (
	maxBatch   = 1000
	firstPause = 100 * time.Millisecond
	maxPause   = 5 * time.Second
)

// NewSender returns a sender. Run must be called once.
func NewSender(s Options) *Sender {
	sender := &Sender{Options: s, closing: make(chan struct{}), done: make(chan struct{})}
	sender.ctx, sender.cancel = context.WithCancel(context.Background())
	return sender
}

// Run sends until Close, and then the rest of the queue.
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

// deliver offers the lines until the consumer accepts them or refuses them for good. It reports false if the time of the
// shutdown is over.
func (s *Sender) deliver(lines []Line) bool {
	logs := s.Builder.build(lines)
	s.unsentRecords.Store(int64(len(lines)))
	pause := firstPause
	for attempt := 1; ; attempt++ {
		offered := logs
		if s.Mutates {
			offered = plog.NewLogs()
			logs.CopyTo(offered)
		}
		err := s.Consume(s.ctx, offered, attempt)
		if err == nil || !s.Retryable(err) && s.ctx.Err() == nil {
			s.unsentRecords.Store(0)
			return true
		}
		if wait.For(s.ctx.Done(), pause) {
			return false
		}
		pause = min(2*pause, maxPause)
	}
}

// ErrNotHandedOn is the error of Wait if the consumer did not accept the last records in time.
var ErrNotHandedOn = errors.New("log records were not handed on before the end of shutdown")

// Close ends Run after the last line of the queue. No line may be added after it.
func (s *Sender) Close() { close(s.closing) }

// Wait must be called after Close. It returns when the consumer has accepted all records, or when ctx is done. It does not wait
// for a consumer that continues for longer than AbandonAfter after its context has ended.
func (s *Sender) Wait(ctx context.Context) error {
	select {
	case <-s.done:
	case <-ctx.Done():
		s.cancel()
		wait.For(s.done, s.AbandonAfter)
	}
	s.cancel()
	if lost := s.unsentRecords.Load() + int64(s.Queue.Len()); lost > 0 {
		return fmt.Errorf("%w: %d", ErrNotHandedOn, lost)
	}
	return nil
}
