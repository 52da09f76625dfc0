package delivery

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
)

// turn gives one live batch at a time its turn, in the order of arrival. A batch is delivered or in the log before the next one
// is attempted, so if the log is empty nothing older is under way. It is safe for concurrent use.
type turn struct {
	mu     sync.Mutex
	queue  []*place           // in the order of arrival; the first one has the turn
	urgent int                // batches that cannot wait any longer
	cancel context.CancelFunc // cancels the attempts of the batch that has the turn
}

// place is a batch's place in the queue.
type place struct {
	first chan struct{} // closed when the batch has the turn; nil if it had the turn on arrival
}

func newTurn() *turn { return &turn{cancel: func() {}} }

// grant is a batch's turn.
type grant struct {
	ctx  context.Context // of the attempts
	done func()          // ends the turn
	// appendLimit is when the append must have ended; zero if it has no limit yet.
	appendLimit time.Time
}

// wait waits for a batch's turn. The batch becomes urgent after maxWait, when the caller gives up, or when ended is closed.
// Then wait cancels the attempts of the batches before this one, so that they go to the log, followed by this one. The context of
// this batch is then cancelled, too.
//
// When abandoned is closed nobody waits any more, because the wrapped exporter may never return: saving the data is more
// important than the order. If the batches before this one are not logged by appendLimit, the batch leaves the queue and the
// error is segment.ErrStalled. In a shutdown only abandoned bounds the wait.
func (t *turn) wait(ctx context.Context, ended, abandoned <-chan struct{}, maxWait time.Duration, appendLimit func(context.Context) time.Time,
	now func() time.Time,
) (grant, error) {
	p := t.queueUp()
	if p.first == nil {
		return t.begin(ctx, p), nil
	}
	timer := time.NewTimer(maxWait)
	defer timer.Stop()
	select {
	case <-p.first:
		return t.begin(ctx, p), nil
	case <-timer.C:
	case <-ctx.Done():
	case <-ended:
	}
	t.beginUrgent()
	defer t.endUrgent()
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
		case <-ended:
			ended, expired, limit = nil, nil, time.Time{}
		case <-abandoned:
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

// begin returns the grant of the batch that has the turn.
func (t *turn) begin(ctx context.Context, p *place) grant {
	ctx, cancel := context.WithCancel(ctx)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cancel = cancel
	if t.urgent > 0 {
		cancel()
	}
	return grant{ctx: ctx, done: func() {
		cancel()
		t.leave(p)
	}}
}

// leave removes a place from the queue. If it was the first one, the next batch gets the turn.
func (t *turn) leave(p *place) {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := slices.Index(t.queue, p)
	t.queue = slices.Delete(t.queue, i, i+1)
	if i == 0 && len(t.queue) > 0 {
		close(t.queue[0].first)
	}
}

// beginUrgent cancels the attempts of the batch that has the turn, and of all that get it before endUrgent.
func (t *turn) beginUrgent() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.urgent++
	t.cancel()
}

func (t *turn) endUrgent() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.urgent--
}
