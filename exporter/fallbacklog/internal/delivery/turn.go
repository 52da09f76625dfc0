package delivery

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
)

// turn lets one live batch at a time through, in the order in which they came. What is attempted is delivered or in the
// log before the next one is: so a lane with an empty log has nothing older under way. Safe for concurrent use.
type turn struct {
	mu        sync.Mutex
	queue     []*place           // in the order in which they came; the first one has the turn
	impatient int                // batches whose time to wait is over
	cancel    context.CancelFunc // ends the attempts of the batch whose turn it is
}

// place is a batch's in the queue: one that has to wait for longer keeps it.
type place struct {
	first chan struct{} // closed when it has the turn; nil where it had it from the beginning
}

func newTurn() *turn { return &turn{cancel: func() {}} }

// grant is a batch's turn.
type grant struct {
	ctx  context.Context // of the attempts
	done func()          // gives the turn up
	// appendLimit is when the append must have ended; zero: it is not limited yet.
	appendLimit time.Time
}

// take waits for a batch's turn. After patience, when the caller gives up, or when cut is closed, the batches before it are
// hurried: their attempts are cancelled, so that they go to the log first, and then this one. Its own context is cancelled
// then.
//
// When deserted is closed nobody waits: the wrapped exporter may never come back, and data goes before order. If the
// batches before it are not logged at appendLimit, which is asked when they are hurried, the batch leaves the queue and the
// error is segment.ErrStalled. In a shutdown deserted is what bounds the wait.
func (t *turn) take(ctx context.Context, cut, deserted <-chan struct{}, patience time.Duration, appendLimit func(context.Context) time.Time,
	now func() time.Time,
) (grant, error) {
	p := t.queueUp()
	if p.first == nil {
		return t.begin(ctx, p), nil
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-p.first:
		return t.begin(ctx, p), nil
	case <-timer.C:
	case <-ctx.Done():
	case <-cut:
	}
	t.hurry()
	defer t.calm()
	limit := appendLimit(ctx)
	late := time.NewTimer(limit.Sub(now()))
	defer late.Stop()
	expired := late.C
	for {
		select {
		case <-p.first:
			g := t.begin(ctx, p)
			g.appendLimit = limit
			return g, nil
		case <-cut:
			cut, expired, limit = nil, nil, time.Time{}
		case <-deserted:
			t.leave(p)
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			return grant{ctx: ctx, done: func() {}}, nil
		case <-expired:
			t.leave(p)
			return grant{}, segment.ErrStalled
		}
	}
}

func (t *turn) queueUp() *place {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := &place{}
	if len(t.queue) > 0 {
		p.first = make(chan struct{})
	}
	t.queue = append(t.queue, p)
	return p
}

// begin is for the batch that has the turn.
func (t *turn) begin(ctx context.Context, p *place) grant {
	ctx, cancel := context.WithCancel(ctx)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cancel = cancel
	if t.impatient > 0 {
		cancel()
	}
	return grant{ctx: ctx, done: func() {
		cancel()
		t.leave(p)
	}}
}

// leave gives a place up, and with the first one the turn.
func (t *turn) leave(p *place) {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := slices.Index(t.queue, p)
	t.queue = slices.Delete(t.queue, i, i+1)
	if i == 0 && len(t.queue) > 0 {
		close(t.queue[0].first)
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
