package delivery

import (
	"context"
	"time"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/breaker"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/failure"
)

// answerReserve is kept of the caller's deadline for the append and for the way back.
const answerReserve = 500 * time.Millisecond

// disposition is what becomes of a live batch.
type disposition struct {
	action   action
	reason   Reason
	attempts int
	failure  failure.Failure // of the last attempt; zero where there was none
	cause    error           // of the last attempt; with rescued the answer to the caller
}

type action int

const (
	keep    action = iota // it goes to the log
	passed                // the downstream has it
	bury                  // it goes to the dead letter
	rescued               // Shutdown has written it down in the caller's place
)

// because is d with the reason why the batch goes to the log.
func (d disposition) because(r Reason) disposition {
	d.action, d.reason = keep, r
	return d
}

// Consume delivers a batch or makes it durable, within the budget. Nil is the promise that one of the two, or an
// explicit drop policy, has happened.
func (l *Lane) Consume(ctx context.Context, b Batch) error {
	c := l.calls.enter(b)
	if c == nil {
		return ErrShutdown
	}
	defer l.calls.exit(c)
	items := b.Items() // walks the batch: once
	l.opt.Observer.Received(items)
	start := l.group.set.Now()
	limit := deadline(ctx, start, l.group.set.Budget)
	turn, err := l.takeTurn(ctx, limit.Sub(start))
	if err != nil {
		return l.giveBack(b, err)
	}
	defer turn.done() // the batch is delivered or in the log by then
	d := l.deliver(turn.ctx, c, b, items, limit)
	switch d.action {
	case passed:
		return nil
	case rescued:
		return d.cause
	case bury, keep:
	}
	if turn.appendLimit.IsZero() {
		turn.appendLimit = l.appendLimit(ctx)
	}
	if d.action == bury {
		return l.bury(b, d, turn.appendLimit)
	}
	return l.store(b, d, turn.appendLimit)
}

// takeTurn waits for the turn of a live batch, where order matters. The context that it returns has ended where the batch
// must not be attempted. An error says that those before it wait for the disk for too long.
func (l *Lane) takeTurn(ctx context.Context, patience time.Duration) (grant, error) {
	if l.turn == nil {
		return grant{ctx: ctx, done: func() {}}, nil
	}
	return l.turn.take(ctx, l.cut.Done(), l.deserted, patience, l.appendLimit, l.group.set.Now)
}

// deliver attempts a live batch within its time and returns what becomes of it.
func (l *Lane) deliver(ctx context.Context, c *call, b Batch, items int, limit time.Time) disposition {
	var d disposition
	switch {
	case !l.group.set.Exports:
		return d.because(ReasonLogOnly)
	case l.turn != nil && (ctx.Err() != nil || !l.opt.Log.Empty()):
		return d.because(ReasonBehind)
	}
	interval := l.group.set.InitialInterval
	counted := false
	for attempt := 1; ; attempt++ {
		if l.cut.Err() != nil {
			return d.because(ReasonShutdown)
		}
		p, reason := l.allow(l.mayProbe())
		if reason != "" {
			return d.because(reason)
		}
		if !c.begin(attempt) {
			p.cancel()
			return d.because(ReasonShutdown)
		}
		rejected, err := l.attempt(ctx, b, limit)
		if over, err := c.end(); over {
			p.cancel()
			return disposition{action: rescued, cause: err}
		}
		if err == nil {
			p.success()
			l.recent.add(true)
			l.succeeded()
			l.delivered(false, items, rejected)
			return disposition{action: passed}
		}
		f := l.classify(err)
		d.attempts, d.cause, d.failure = attempt, err, f
		l.keepWaiting(f)
		v := l.judge(p, trial{
			failure: f, brokenOff: ctx.Err() != nil || l.cut.Err() != nil, first: true, counted: counted, divisible: items > 1,
		})
		if v != inconclusive {
			l.recent.add(false)
		}
		counted = counted || f.AboutData
		switch {
		case v == refused:
			d.action, d.reason = bury, ReasonRefused
			return d
		case l.stopping():
			return d.because(ReasonShutdown)
		case v == inconclusive:
			return d.because(ReasonCanceled)
		case v == waiting:
			return d.because(ReasonSystemic)
		case v == tooLarge:
			return d.because(ReasonTooLarge)
		case f.Class == failure.Opaque:
			return d.because(ReasonOpaque)
		case attempt == l.group.set.MaxAttempts:
			return d.because(ReasonAttempts)
		}
		pause := max(interval, min(f.RetryAfter, l.group.set.MaxOpenInterval))
		if l.group.set.Now().Add(pause).After(limit) {
			return d.because(ReasonBudget)
		}
		if reason := l.sleep(ctx, pause); reason != "" {
			return d.because(reason)
		}
		interval = min(time.Duration(float64(interval)*l.group.set.Multiplier), l.group.set.MaxInterval)
	}
}

// classify is what an error means, and keeps it for who asks why data falls back.
func (l *Lane) classify(err error) failure.Failure {
	l.group.lastFailure.Store(&err)
	f := failure.Of(err, l.group.set.Permanent(err))
	if f.Kind.Refused() {
		l.lastRefusal.Store(&err)
	}
	return f
}

// deadline is when a caller must have its answer: budget from now, or earlier where the caller's own deadline says so.
// A caller with less than twice the reserve gives half of what it has.
func deadline(ctx context.Context, now time.Time, budget time.Duration) time.Time {
	limit := now.Add(budget)
	if d, ok := ctx.Deadline(); ok {
		if d = d.Add(-min(answerReserve, d.Sub(now)/2)); d.Before(limit) {
			return d
		}
	}
	return limit
}

// mayProbe reports whether live data may probe. With a backlog the replay probes, and live data need not risk its caller's
// time, unless it is live data's turn while the signal waits.
func (l *Lane) mayProbe() bool {
	return !l.group.set.Replay || l.stuck.Load() || l.unreadable.Load() || l.opt.Log.Empty() || l.liveTurn()
}

// liveTurn reports whether the signal waits and the next probe is a live batch's. In strict order it never is.
func (l *Lane) liveTurn() bool {
	return l.turn == nil && l.refusals.State() != breaker.Closed && l.probes.Load()%probeTurns == probeLive
}

// keepWaiting makes replay, too, wait for as long as the downstream asks live data to.
func (l *Lane) keepWaiting(f failure.Failure) {
	if f.RetryAfter > 0 {
		until := l.group.set.Now().Add(min(f.RetryAfter, l.group.set.MaxOpenInterval))
		l.held.Store(&until)
	}
}

// asked is how long replay has to wait for that.
func (l *Lane) asked() time.Duration {
	until := l.held.Load()
	if until == nil {
		return 0
	}
	return max(0, until.Sub(l.group.set.Now()))
}

// sleep waits for the next attempt, or returns why there will be none.
func (l *Lane) sleep(ctx context.Context, d time.Duration) (reason Reason) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return ""
	case <-l.group.breaker.Opened():
		return ReasonOpen
	case <-l.refusals.Opened():
		return ReasonSystemic
	case <-l.closing:
		return ReasonShutdown
	case <-ctx.Done():
		return ReasonCanceled
	}
}

// attempt makes one attempt, bounded by the timeout, the limit, and Shutdown.
func (l *Lane) attempt(ctx context.Context, b Batch, limit time.Time) (rejected int, err error) {
	start := l.group.set.Now()
	ctx, done := contextOr(ctx, l.cut, min(l.group.set.Timeout, limit.Sub(start)))
	defer done()
	rejected, err = b.Send(ctx)
	l.opt.Observer.Exported(l.group.set.Now().Sub(start))
	return rejected, err
}

// delivered counts a batch that the downstream has, except for what it has rejected: another attempt would get the same answer
// (OTLP, "Partial Success").
func (l *Lane) delivered(replayed bool, items, rejected int) {
	l.opt.Observer.Delivered(replayed, items-rejected)
	if rejected > 0 {
		l.opt.Observer.Dropped(DroppedRejected, rejected)
		l.opt.Observer.Failed(failure.Partial)
		l.opt.Observer.Warn(failure.Partial, "the downstream rejected some items of a batch and accepted the others", nil)
	}
}

// contextOr is ctx, cancelled also when also is.
func contextOr(ctx, also context.Context, timeout time.Duration) (context.Context, func()) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	stop := context.AfterFunc(also, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}
