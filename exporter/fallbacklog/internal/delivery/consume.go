package delivery

import (
	"context"
	"time"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/breaker"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/failure"
)

// answerReserve is the part of the caller's deadline that is reserved for the append and the answer.
const answerReserve = 500 * time.Millisecond

// disposition is the decision about a batch.
type disposition struct {
	action   action
	reason   Reason
	attempts int
	failure  failure.Failure // of the last attempt; zero if there was none
	cause    error           // of the last attempt; with actionLoggedByShutdown the answer to the caller
}

type action int

const (
	actionLog              action = iota // append it to the log
	actionDelivered                      // the downstream has accepted it
	actionDeadLetter                     // append it to the dead letter
	actionLoggedByShutdown               // Shutdown has logged it, see calls.logUnreturned
)

// toLog returns d with the action to log the batch and the reason.
func (d disposition) toLog(r Reason) disposition {
	d.action, d.reason = actionLog, r
	return d
}

// Consume delivers a batch or makes it durable. It returns after twice the budget at the latest. A nil error means that the batch
// was delivered, is durable, or was dropped and counted by an explicit drop policy.
func (l *Lane) Consume(ctx context.Context, b Batch) error {
	c := l.calls.enter(b)
	if c == nil {
		return ErrShutdown
	}
	defer l.calls.exit(c)
	items := b.Items() // it walks the batch, so it is called once
	l.opt.Observer.Received(items)
	start := l.group.opt.Now()
	limit := deadline(ctx, start, l.group.opt.Budget)
	turn, err := l.waitForTurn(ctx, limit.Sub(start))
	if err != nil {
		return l.giveBack(b, err)
	}
	defer turn.done() // by then the batch is delivered or in the log
	d := l.deliver(turn.ctx, c, b, items, limit)
	switch d.action {
	case actionDelivered:
		return nil
	case actionLoggedByShutdown:
		return d.cause
	case actionDeadLetter, actionLog:
	}
	if turn.appendLimit.IsZero() {
		turn.appendLimit = l.appendLimit(ctx)
	}
	if d.action == actionDeadLetter {
		return l.moveToDeadLetter(b, d, turn.appendLimit)
	}
	return l.store(b, d, turn.appendLimit)
}

// waitForTurn waits for a batch's turn in strict order. If the returned context has ended the batch must not be attempted. An
// error means that the batches before it have waited for the disk for too long.
func (l *Lane) waitForTurn(ctx context.Context, maxWait time.Duration) (grant, error) {
	if l.turn == nil {
		return grant{ctx: ctx, done: func() {}}, nil
	}
	return l.turn.wait(ctx, l.attemptsCtx.Done(), l.abandoned, maxWait, l.appendLimit, l.group.opt.Now)
}

// deliver attempts a live batch until limit and returns the decision about it.
func (l *Lane) deliver(ctx context.Context, c *call, b Batch, items int, limit time.Time) disposition {
	var d disposition
	switch {
	case !l.group.opt.Exports:
		return d.toLog(ReasonLogOnly)
	case l.turn != nil && (ctx.Err() != nil || !l.opt.Log.Empty()):
		return d.toLog(ReasonBehind)
	}
	interval := l.group.opt.InitialInterval
	counted := false
	for attempt := 1; ; attempt++ {
		if l.attemptsCtx.Err() != nil {
			return d.toLog(ReasonShutdown)
		}
		p, reason := l.allow(l.mayProbe())
		if reason != "" {
			return d.toLog(reason)
		}
		if !c.begin(attempt) {
			p.cancel()
			return d.toLog(ReasonShutdown)
		}
		refusedItems, err := l.attempt(ctx, b, limit)
		if logged, err := c.end(); logged {
			p.cancel()
			return disposition{action: actionLoggedByShutdown, cause: err}
		}
		if err == nil {
			p.success()
			l.recent.add(true)
			l.succeeded()
			l.deliveredDirect(items, refusedItems)
			return disposition{action: actionDelivered}
		}
		f := l.classify(err)
		d.attempts, d.cause, d.failure = attempt, err, f
		l.noteRetryAfter(f)
		v := l.judge(p, failedAttempt{
			failure: f, cancelled: ctx.Err() != nil || l.attemptsCtx.Err() != nil, neverRefused: true, countedByBreaker: counted, divisible: items > 1,
		})
		if v != inconclusive {
			l.recent.add(false)
		}
		counted = counted || f.AboutData
		switch {
		case v == refusedForGood:
			d.action, d.reason = actionDeadLetter, ReasonRefused
			return d
		case l.stopping():
			return d.toLog(ReasonShutdown)
		case v == inconclusive:
			return d.toLog(ReasonCanceled)
		case v == refusedForNow:
			return d.toLog(ReasonSystemic)
		case v == tooLarge:
			return d.toLog(ReasonTooLarge)
		case f.Class == failure.Opaque:
			return d.toLog(ReasonOpaque)
		case attempt == l.group.opt.MaxAttempts:
			return d.toLog(ReasonAttempts)
		}
		pause := max(interval, min(f.RetryAfter, l.group.opt.MaxOpenInterval))
		if l.group.opt.Now().Add(pause).After(limit) {
			return d.toLog(ReasonBudget)
		}
		if reason := l.sleep(ctx, pause); reason != "" {
			return d.toLog(reason)
		}
		interval = min(time.Duration(float64(interval)*l.group.opt.Multiplier), l.group.opt.MaxInterval)
	}
}

// classify classifies an error and stores it for LastFailure.
func (l *Lane) classify(err error) failure.Failure {
	l.group.lastFailure.Store(&err)
	f := failure.Classify(err, l.group.opt.Permanent(err))
	if f.Kind.Refused() {
		l.lastRefusal.Store(&err)
	}
	return f
}

// deadline returns when a caller must have its answer: after budget, or earlier if the caller's own deadline requires it. The
// deadline less answerReserve counts. If less than twice the reserve is left, half of the time left is reserved.
func deadline(ctx context.Context, now time.Time, budget time.Duration) time.Time {
	limit := now.Add(budget)
	if d, ok := ctx.Deadline(); ok {
		if d = d.Add(-min(answerReserve, d.Sub(now)/2)); d.Before(limit) {
			return d
		}
	}
	return limit
}

// mayProbe reports whether live data may probe. If a backlog exists replay probes, so that live data does not spend its
// caller's time. Live data still probes when it is its turn while the signal waits.
func (l *Lane) mayProbe() bool {
	return !l.group.opt.Replay || l.onlyOtherKey.Load() || l.unreadable.Load() || l.opt.Log.Empty() || l.liveTurn()
}

// liveTurn reports whether the signal waits and the next probe is a live batch. In strict order it is always false.
func (l *Lane) liveTurn() bool {
	return l.turn == nil && l.refusalBreaker.State() != breaker.Closed && l.probes.Load()%probeTurns == probeLive
}

// noteRetryAfter makes replay wait as long as the downstream asks live data to wait.
func (l *Lane) noteRetryAfter(f failure.Failure) {
	if f.RetryAfter > 0 {
		until := l.group.opt.Now().Add(min(f.RetryAfter, l.group.opt.MaxOpenInterval))
		l.waitUntil.Store(&until)
	}
}

// retryAfterLeft returns the rest of the wait that noteRetryAfter has set.
func (l *Lane) retryAfterLeft() time.Duration {
	until := l.waitUntil.Load()
	if until == nil {
		return 0
	}
	return max(0, until.Sub(l.group.opt.Now()))
}

// sleep waits until the next attempt. If no attempt must follow it returns the reason.
func (l *Lane) sleep(ctx context.Context, d time.Duration) (reason Reason) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return ""
	case <-l.group.breaker.Opened():
		return ReasonOpen
	case <-l.refusalBreaker.Opened():
		return ReasonSystemic
	case <-l.closing:
		return ReasonShutdown
	case <-ctx.Done():
		return ReasonCanceled
	}
}

// attempt makes one attempt. The timeout, limit and Shutdown bound it.
func (l *Lane) attempt(ctx context.Context, b Batch, limit time.Time) (refusedItems int, err error) {
	start := l.group.opt.Now()
	ctx, done := contextOr(ctx, l.attemptsCtx, min(l.group.opt.Timeout, limit.Sub(start)))
	defer done()
	refusedItems, err = b.Send(ctx)
	l.opt.Observer.Exported(l.group.opt.Now().Sub(start))
	return refusedItems, err
}

// deliveredDirect counts a live batch that the downstream accepted. Items that it refused in an answer of partial success are
// dropped: another attempt would get the same answer (OTLP, "Partial Success").
func (l *Lane) deliveredDirect(items, refusedItems int) {
	l.opt.Observer.DeliveredDirect(items - refusedItems)
	l.countRefusedItems(refusedItems)
}

// deliveredReplayed is deliveredDirect for records.
func (l *Lane) deliveredReplayed(items, refusedItems int) {
	l.opt.Observer.DeliveredReplayed(items - refusedItems)
	l.countRefusedItems(refusedItems)
}

func (l *Lane) countRefusedItems(refusedItems int) {
	if refusedItems > 0 {
		l.opt.Observer.Dropped(DroppedPartial, refusedItems)
		l.opt.Observer.Failed(failure.Partial)
		l.opt.Observer.Warn(failure.Partial, "the downstream rejected some items of a batch and accepted the others", nil)
	}
}

// contextOr returns ctx with a timeout, which is also cancelled when also is.
func contextOr(ctx, also context.Context, timeout time.Duration) (context.Context, func()) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	stop := context.AfterFunc(also, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}
