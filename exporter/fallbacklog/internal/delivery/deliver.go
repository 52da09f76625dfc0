package delivery

import (
	"context"
	"errors"
	"fmt"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/failure"
)

// answer is what came of a request.
type answer struct {
	consignment
	rejected int   // items that the downstream has refused of those it took
	cause    error // nil: the downstream has it
}

// errUndecodable says that a request could not be made of its records.
var errUndecodable = errors.New("decode a record of the log")

// send hands a request to the wrapped exporter.
func (r *replayer) send(c consignment) {
	for _, p := range c.records {
		p.attempts++
	}
	r.out++
	r.pace.sent(r.group.set.Now(), c.bytes())
	go func() {
		a := answer{consignment: c}
		a.rejected, a.cause = r.try(c.records)
		r.answers <- a
	}()
}

// try makes one attempt for several records as one batch.
func (l *Lane) try(records []*pending) (rejected int, err error) {
	lines := make([][]byte, len(records))
	for i, p := range records {
		lines[i] = p.entry.Record
	}
	b, err := l.opt.Decode(lines)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errUndecodable, err)
	}
	return l.attempt(context.Background(), b, l.group.set.Now().Add(l.group.set.Timeout))
}

// answered settles what an answer settles, and leaves the rest for later.
func (r *replayer) answered(a answer) {
	r.out--
	switch {
	case a.cause == nil:
		a.permit.success()
		r.pace.faster()
		r.delivered(true, a.items(), a.rejected)
		for _, p := range a.records {
			r.settle(p)
		}
		r.succeeded()
	case errors.Is(a.cause, errUndecodable):
		a.permit.cancel()
		if divide(a.records) || !r.buryLine(a.records[0]) {
			r.release(a.records)
		}
	default:
		if !r.failed(a) {
			r.release(a.records)
		}
	}
	r.pace.answered(r.group.set.Now())
}

// release lets records wait again. What log::on_full has dropped of them meanwhile has had no outcome: it counts now.
func (r *replayer) release(records []*pending) {
	if dropped := r.window.release(records); dropped > 0 {
		r.opt.Observer.Dropped(droppedFull, dropped)
	}
}

// failed decides what a failed request means for its records. A refusal of several says nothing of any: they are sent
// again in halves, until the one at fault is alone. It reports whether they are settled.
func (r *replayer) failed(a answer) (settled bool) {
	alone := len(a.records) == 1
	f := failure.Of(a.cause, r.group.set.Permanent(a.cause))
	successes := r.successes.Load()
	v := r.judge(a.permit, f, r.cut.Err() != nil, alone && !a.records[0].refused, a.records[0].suspect(successes))
	if v == inconclusive {
		return false
	}
	r.opt.Observer.ReplayFailed()
	if v == refused && divide(a.records) {
		return false
	}
	if v == systemic && !f.Systemic && !alone {
		// Too many in a row were refused, and one of these at least is. Which one must be found out at the pace of a
		// parked log, or a bad record in each request parks it for good: one record is enough to show that others pass.
		for _, p := range a.records {
			p.share = 1
		}
		return false
	}
	if v != systemic && f.Class != failure.Throttled {
		for _, p := range a.records {
			p.fail(len(a.records), successes, r.group.set.Strict)
		}
	}
	if alone && (v == refused || a.records[0].poison()) {
		return r.giveUp(a.records[0], f, a.cause)
	}
	if alone && v == systemic {
		a.records[0].refused = true
	}
	r.window.pass(a.records)
	if f.Class == failure.Throttled {
		r.pace.slower()
	}
	// A downstream that asks for more than a probe's longest wait is asked again: it may have been wrong.
	r.pace.block(r.group.set.Now().Add(min(f.RetryAfter, r.group.set.MaxOpenInterval)))
	return false
}

// divide makes records that went out together go in halves, at most; false for one alone.
func divide(records []*pending) bool {
	for _, p := range records {
		p.share = half(len(records))
	}
	return len(records) > 1
}

// giveUp moves a record to the dead letter that will never be delivered, and reports whether it is there.
func (r *replayer) giveUp(p *pending, f failure.Failure, cause error) bool {
	reason := reasonRefused
	if p.poison() {
		reason = reasonPoison
	}
	p.refused = true
	b, err := r.opt.Decode([][]byte{p.entry.Record})
	if err != nil || r.opt.DeadLetter == nil || r.appendDead(b, reason, f, p.attempts, cause) != nil {
		r.park(p)
		return false
	}
	r.settle(p)
	return true
}

// buryLine settles a record that cannot be decoded although its checksum holds: no second reading will do better. It
// reports whether the dead letter has it.
func (r *replayer) buryLine(p *pending) bool {
	if r.opt.DeadLetter == nil || r.copyToDead(p.entry.Record) != nil {
		r.opt.Observer.Failed(failure.DeadLetter)
		r.park(p)
		return false
	}
	r.opt.Observer.Buried(codeUndecodable, p.items)
	r.settle(p)
	return true
}

// park slows replay down for a record that has no other place.
func (r *replayer) park(p *pending) {
	r.window.pass([]*pending{p})
	r.pace.block(r.group.set.Now().Add(troubleWait))
}

// settle says of a record that it is dealt with: first to the log, so that drop takes it for given up at no moment.
func (r *replayer) settle(p *pending) {
	if err := r.opt.Log.Done(p.entry); err != nil {
		r.condition.set(tending, err)
		r.opt.Observer.Failed(failure.Log)
		r.opt.Observer.Error(failure.Log, "the log's cursor cannot be saved: a restart would repeat records", err)
	}
	r.window.settle(p)
}
