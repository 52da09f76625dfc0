package delivery

import (
	"context"
	"time"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/failure"
)

// answerReserve is kept of the caller's deadline for the append and for the way back.
const answerReserve = 500 * time.Millisecond

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
	if !l.group.set.Exports {
		return l.store(b, reasonLogOnly, 0, nil)
	}
	start := l.group.set.Now()
	limit := deadline(ctx, start, l.group.set.Budget)
	if l.turn != nil {
		mine, done := l.turn.take(ctx, l.cut.Done(), l.deserted, limit.Sub(start))
		defer done()
		if ctx = mine; ctx.Err() != nil || !l.opt.Log.Empty() {
			return l.store(b, reasonBehind, 0, nil)
		}
	}
	interval := l.group.set.InitialInterval
	var cause error
	for attempt := 1; ; attempt++ {
		if l.cut.Err() != nil {
			return l.store(b, reasonShutdown, attempt-1, cause)
		}
		p, not := l.allow(l.mayProbe())
		if not != "" {
			return l.store(b, not, attempt-1, cause)
		}
		if !c.begin(attempt) {
			p.cancel()
			return l.store(b, reasonShutdown, attempt-1, cause)
		}
		var rejected int
		rejected, cause = l.attempt(ctx, b, limit)
		if rescued, err := c.end(); rescued {
			p.cancel()
			return err
		}
		if cause == nil {
			p.success()
			l.succeeded()
			l.delivered(false, items, rejected)
			return nil
		}
		f := failure.Of(cause, l.group.set.Permanent(cause))
		l.hold(f)
		verdict := l.judge(p, f, ctx.Err() != nil || l.cut.Err() != nil, true, false)
		switch {
		case verdict == refused:
			return l.bury(b, reasonRefused, f, attempt, cause)
		case l.stopping():
			return l.store(b, reasonShutdown, attempt, cause)
		case verdict == inconclusive:
			return l.store(b, reasonCanceled, attempt, cause)
		case verdict == systemic:
			return l.store(b, reasonSystemic, attempt, cause)
		case verdict == opaque:
			return l.store(b, reasonOpaque, attempt, cause)
		case attempt == l.group.set.MaxAttempts:
			return l.store(b, reasonAttempts, attempt, cause)
		}
		pause := max(interval, min(f.RetryAfter, l.group.set.MaxOpenInterval))
		if l.group.set.Now().Add(pause).After(limit) {
			return l.store(b, reasonBudget, attempt, cause)
		}
		if reason := l.sleep(ctx, pause); reason != "" {
			return l.store(b, reason, attempt, cause)
		}
		interval = min(time.Duration(float64(interval)*l.group.set.Multiplier), l.group.set.MaxInterval)
	}
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

// mayProbe: with a backlog the replay probes, and live data need not risk its caller's time.
func (l *Lane) mayProbe() bool {
	return !l.group.set.Replay || l.stuck.Load() || l.unreadable.Load() || l.opt.Log.Empty()
}

// hold makes replay, too, wait for as long as the downstream asks live data to.
func (l *Lane) hold(f failure.Failure) {
	if f.RetryAfter > 0 {
		until := l.group.set.Now().Add(min(f.RetryAfter, l.group.set.MaxOpenInterval))
		l.held.Store(&until)
	}
}

// holding is how long replay has to wait for that.
func (l *Lane) holding() time.Duration {
	until := l.held.Load()
	if until == nil {
		return 0
	}
	return max(0, until.Sub(l.group.set.Now()))
}

// sleep waits for the next attempt, or returns why there will be none.
func (l *Lane) sleep(ctx context.Context, d time.Duration) (reason string) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return ""
	case <-l.group.breaker.Opened():
		return reasonOpen
	case <-l.parked.Opened():
		return reasonSystemic
	case <-l.closing:
		return reasonShutdown
	case <-ctx.Done():
		return reasonCanceled
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

// delivered counts a batch that the downstream has, but for what it has rejected: another attempt would be told the same
// (OTLP, "Partial Success").
func (l *Lane) delivered(replayed bool, items, rejected int) {
	l.opt.Observer.Delivered(replayed, items-rejected)
	if rejected > 0 {
		l.opt.Observer.Dropped(droppedRejected, rejected)
		l.opt.Observer.Failed(failure.Partial)
		l.opt.Observer.Warn(failure.Partial, "the downstream took a batch but for some of its items", nil)
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
