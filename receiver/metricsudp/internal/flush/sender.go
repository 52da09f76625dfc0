package flush

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/wait"
)

// Sender calls the consumer with batches, one at a time. If a batch is refused with a retryable error, the sender offers it again
// unchanged, with growing pauses, until the consumer accepts it or the flusher recalls it ([Sender.Recall]).
//
// The flusher reserves the sender before it builds batches. So it builds no batch that the sender cannot accept. Until then the
// values remain in the series.
type Sender struct {
	options      SenderOptions
	idle         chan []offer // has an element while the sender waits for work: the recalled offers
	work         chan []offer
	ctx          context.Context
	cancel       context.CancelFunc
	done         chan struct{}
	wake         chan struct{} // ends a pause
	returned     chan struct{} // has an element after a recall during a round
	unsentPoints atomic.Int64  // number of points in the sender's offers
	abandoned    atomic.Bool   // Close has stopped waiting for the consumer

	mu       sync.Mutex // guards everything declared below
	offering bool       // a round is in progress, so the consumer may be running
	recalled bool       // the flusher wants the offers back after this round
}

// SenderOptions configure a Sender.
type SenderOptions struct {
	// Consume offers a batch to the consumer. attempt is 1 the first time.
	Consume func(ctx context.Context, batch Batch, attempt int) error
	// Retryable reports whether the same batch may be accepted later.
	Retryable func(error) bool
	// Mutates is true if the consumer may change a batch, even one that it refuses.
	Mutates bool
	// MaxPause bounds the pauses between attempts. Pauses are never longer than 5 s, so that a shutdown during a pause has
	// time for one more attempt.
	MaxPause time.Duration
}

// firstPause is the pause after the first refusal. Each later pause is twice as long as the one before.
const firstPause = 100 * time.Millisecond

const longestPause = 5 * time.Second

// NewSender starts the sender's goroutine, which Close ends.
func NewSender(s SenderOptions) *Sender {
	s.MaxPause = min(s.MaxPause, longestPause)
	ctx, cancel := context.WithCancel(context.Background())
	sender := &Sender{
		options: s,
		idle:    make(chan []offer, 1),
		work:    make(chan []offer, 1),
		ctx:     ctx, cancel: cancel,
		done: make(chan struct{}),
		wake: make(chan struct{}, 1), returned: make(chan struct{}, 1),
	}
	sender.idle <- nil
	go sender.run()
	return sender
}

// offer is a batch that the consumer has not accepted yet.
type offer struct {
	Batch
	points   int64
	attempts int
	encoded  []byte // the batch in OTLP, if the consumer may change Metrics
}

// TryReserve reserves the sender if it waits for work. If it reports true, Send must follow. It returns the offers that an
// earlier Recall asked for.
func (s *Sender) TryReserve() (left []offer, ok bool) {
	select {
	case left = <-s.idle:
		return s.uncount(left), true
	default:
		return nil, false
	}
}

// Recall reserves a sender that pauses after a refusal and returns the refused offers. If it reports true, Send must follow. It
// reports false while the consumer is running. In that case Returned has an element when TryReserve can return the offers.
func (s *Sender) Recall() (left []offer, ok bool) {
	if s.recall() {
		return nil, false
	}
	return s.uncount(<-s.idle), true
}

// Returned has an element after a sender that was recalled during a call of the consumer has finished that call.
func (s *Sender) Returned() <-chan struct{} { return s.returned }

// Reserve recalls the refused offers and waits for them until ctx is done.
func (s *Sender) Reserve(ctx context.Context) (left []offer, ok bool) {
	s.recall()
	select {
	case left = <-s.idle:
		return s.uncount(left), true
	case <-ctx.Done():
		return s.TryReserve()
	}
}

// uncount subtracts recalled offers from unsentPoints.
func (s *Sender) uncount(left []offer) []offer {
	for i := range left {
		s.unsentPoints.Add(-left[i].points)
	}
	return left
}

// recall asks for the offers and reports whether a round is in progress.
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

// Send passes offers to the sender and returns at once. The sender keeps their order.
func (s *Sender) Send(offers []offer) {
	for i := range offers {
		s.unsentPoints.Add(offers[i].points)
	}
	s.resetRecall()
	s.work <- offers
}

func (s *Sender) resetRecall() {
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

// Close waits until every offer is accepted or ctx is done, and returns the number of points that were not accepted. It does not
// wait for a consumer that continues for longer than AbandonAfter after its context has ended. Such a consumer may still accept
// its batch later.
func (s *Sender) Close(ctx context.Context) (lost int) {
	close(s.work)
	select {
	case <-s.done:
		return int(s.unsentPoints.Load())
	case <-ctx.Done():
	}
	s.cancel()
	if !wait.For(s.done, AbandonAfter) {
		s.abandoned.Store(true)
	}
	return int(s.unsentPoints.Load())
}

// AbandonAfter is the time that a consumer has to return after its context has ended.
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

func (s *Sender) firstPause() time.Duration { return min(firstPause, s.options.MaxPause) }

// deliver offers the batches in rounds. Each round offers all batches that are left, so a refused batch does not block others. It
// returns the batches that are left when they are recalled, or after the round in which the context ended. The pause continues
// to grow after a recall, until all batches of a round are accepted.
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
		*pause = min(2*(*pause), s.options.MaxPause)
	}
	return left
}

// beginRound reports false if the offers are recalled.
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

// round offers each batch once and returns the batches that are left, in their order.
func (s *Sender) round(offers []offer) []offer {
	n := 0
	for _, o := range offers {
		o.attempts++
		if !s.abandoned.Load() && s.consume(&o) {
			s.unsentPoints.Add(-o.points)
			continue
		}
		offers[n] = o
		n++
	}
	clear(offers[n:])
	return offers[:n]
}

// consume offers a batch and reports whether it is done: the consumer has accepted it, or has refused it for good and counted
// that.
func (s *Sender) consume(o *offer) (done bool) {
	b, err := o.Batch, error(nil)
	if s.options.Mutates {
		b, err = o.giveAway()
	}
	if err == nil {
		err = s.options.Consume(s.ctx, b, o.attempts)
	}
	return err == nil || (!s.options.Retryable(err) && s.ctx.Err() == nil)
}

// newOffer returns the offer of a batch. If the consumer may change it, newOffer encodes it: while the batch is in the processor's cache,
// that needs half the time.
func (s *Sender) newOffer(b Batch) offer {
	o := offer{Batch: b, points: int64(b.Metrics.DataPointCount())} // counted before the consumer owns it
	if s.options.Mutates {
		_ = o.encode() // giveAway tries again
	}
	return o
}

func (o *offer) encode() (err error) {
	o.encoded, err = (&pmetric.ProtoMarshaler{}).MarshalMetrics(o.Metrics)
	return err
}

// giveAway returns the batch for a consumer that may change it. The offer then has it only in OTLP.
func (o *offer) giveAway() (b Batch, err error) {
	b, none := o.Batch, pmetric.Metrics{}
	switch {
	case b.Metrics == none:
		b.Metrics, err = (&pmetric.ProtoUnmarshaler{}).UnmarshalMetrics(o.encoded)
	case o.encoded == nil:
		err = o.encode()
	}
	if err == nil {
		o.Metrics = none
	}
	return b, err
}

// wait waits for the pause, which a recall ends early. It reports false if the context has ended.
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
