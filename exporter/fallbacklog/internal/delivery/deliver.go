package delivery

import (
	"context"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/breaker"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/failure"
)

// deliver makes one attempt for a record and settles it, or leaves it for later.
func (l *Lane) deliver(w *window, r *pending, permit *breaker.Permit, p *pace) {
	if !l.replays.begin(r.attempts + 1) {
		permit.Cancel()
		return
	}
	r.attempts++
	rejected, cause := l.attempt(context.Background(), r.batch, l.group.set.Now().Add(l.group.set.Timeout))
	_, _ = l.replays.end()
	if cause == nil {
		permit.Success()
		p.faster()
		l.delivered(true, r.items, rejected)
		l.settle(w, r)
		l.group.succeeded()
		return
	}
	f := failure.Of(cause, l.group.set.Permanent(cause))
	v := l.judge(permit, f, l.cut.Err() != nil, !r.refused)
	if v == inconclusive {
		return
	}
	l.opt.Observer.ReplayFailed()
	if v != systemic && f.Class != failure.Throttled {
		r.failed(l.group.successes.Load())
	}
	reason := reasonRefused
	if r.poison() {
		reason = reasonPoison
	}
	if v == refused || reason == reasonPoison {
		r.refused = true
		if l.opt.DeadLetter == nil || l.appendDead(r.batch, reason, f, r.attempts) != nil {
			l.wait(nil, troubleWait) // parked: refused records have no other place
			w.pass()
			return
		}
		l.opt.Observer.Warn("a record went to the dead letter: "+reason, cause)
		l.settle(w, r)
		return
	}
	r.refused = r.refused || v == systemic
	w.pass()
	if f.Class == failure.Throttled {
		p.slower()
	}
	// A downstream that asks for more than a probe's longest wait is asked again: it may have been wrong.
	p.block(l.group.set.Now().Add(min(f.RetryAfter, l.group.set.MaxOpenInterval)))
}

// settle says of a record that it is dealt with.
func (l *Lane) settle(w *window, r *pending) {
	w.settle(r)
	if err := l.opt.Log.Done(r.entry); err != nil {
		l.opt.Observer.Failed("log")
		l.opt.Observer.Error("the log's cursor cannot be saved: a restart would repeat records", err)
	}
}
