package delivery

import (
	"context"
	"sync"
	"time"
)

// turn lets one live batch at a time through, in the order in which they came. What is attempted is delivered or in the
// log before the next one is: so a lane with an empty log has nothing older under way. Safe for concurrent use.
type turn struct {
	slot chan struct{} // filled by the batch whose turn it is; waiting senders are served in their order

	mu        sync.Mutex
	impatient int                // batches whose time to wait is over
	cancel    context.CancelFunc // ends the attempts of the batch whose turn it is
}

func newTurn() *turn { return &turn{slot: make(chan struct{}, 1), cancel: func() {}} }

// take waits for a batch's turn, and returns the context for its attempts and how to give the turn up. After patience,
// or when the caller gives up, the batches before it are hurried: their attempts are cancelled, so that they go to the
// log first, and then this one. Its own context is cancelled then.
//
// When cut is closed nobody waits: the wrapped exporter may never come back, and data goes before order.
func (t *turn) take(ctx context.Context, cut <-chan struct{}, patience time.Duration) (context.Context, func()) {
	select {
	case t.slot <- struct{}{}:
		return t.begin(ctx)
	default:
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case t.slot <- struct{}{}:
		return t.begin(ctx)
	case <-timer.C:
	case <-ctx.Done():
	case <-cut:
	}
	t.hurry()
	defer t.calm()
	select {
	case t.slot <- struct{}{}:
		return t.begin(ctx)
	case <-cut:
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		return ctx, func() {}
	}
}

// begin gives the turn to the batch that has filled the slot.
func (t *turn) begin(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cancel = cancel
	if t.impatient > 0 {
		cancel()
	}
	return ctx, func() {
		cancel()
		<-t.slot
	}
}

func (t *turn) hurry() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.impatient++
	t.cancel()
}

func (t *turn) calm() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.impatient--
}
