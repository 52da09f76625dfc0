package delivery

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/breaker"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/failure"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/health"
)

// result is what came of a request.
type result struct {
	consignment
	rejected int   // items that the downstream rejected in a request that it accepted
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
		a := result{consignment: c}
		a.rejected, a.cause = r.try(c.records)
		r.results <- a
	}()
}

// try makes one attempt for several records as one batch, or for a part of one.
func (l *Lane) try(records []*pending) (rejected int, err error) {
	b, err := l.decode(records)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errUndecodable, err)
	}
	if p := records[0]; p.parts.chunk > 0 {
		b = b.Part(p.next())
	}
	return l.attempt(context.Background(), b, l.group.set.Now().Add(l.group.set.Timeout))
}

func (l *Lane) decode(records []*pending) (Batch, error) {
	lines := make([][]byte, len(records))
	for i, p := range records {
		lines[i] = p.entry.Record
	}
	return l.opt.Decode(lines)
}

// answered settles what an answer settles, and leaves the rest for later.
func (r *replayer) answered(a result) {
	r.out--
	switch {
	case a.probe:
		r.probeAnswered(a)
	case a.cause == nil:
		a.permit.success()
		r.passed(a)
	case errors.Is(a.cause, errUndecodable):
		a.permit.cancel()
		if divide(a.records) {
			r.release(a.records)
		} else {
			r.buryLine(a.records[0], a.cause)
		}
	default:
		r.failed(a)
	}
	r.pace.answered(r.group.set.Now())
}

// passed settles what the downstream accepted.
func (r *replayer) passed(a result) {
	r.pace.faster()
	r.recent.add(true)
	r.sizes.passed(a.bytes())
	if r.window.inOrder && !a.probe {
		r.window.extend(false)
	}
	if a.alone() && a.records[0].parts.chunk > 0 {
		r.partPassed(a.records[0], a.rejected)
	} else {
		r.delivered(true, a.items(), a.rejected)
		for _, p := range a.records {
			if p.passedBy > 0 { // then it goes alone
				r.opt.Observer.Late(p.items - a.rejected)
			}
			r.finish(p)
		}
	}
	r.succeeded()
}

// partPassed notes that the downstream took a part of a record.
func (r *replayer) partPassed(p *pending, rejected int) {
	if !p.parts.doubtful {
		r.sizes.partTaken(r.group.set.Now(), p.size(), p.nextBytes())
	}
	if p.advance(rejected) {
		r.finishParts(p)
		return
	}
	r.release([]*pending{p})
}

// noteFailure counts a failed request in recent, once for its records: the halves of a request that failed have the same
// record at fault.
func (r *replayer) noteFailure(records []*pending) {
	first := true
	for _, p := range records {
		first = first && !p.failedBefore
		p.failedBefore = true
	}
	if first {
		r.recent.add(false)
	}
}

// trial describes how a request failed.
func (r *replayer) trial(a result) trial {
	f := r.classify(a.cause)
	t := trial{failure: f, brokenOff: r.cut.Err() != nil, company: !a.alone(), divisible: !a.alone() || a.items() > 1}
	t.counted = true
	for _, p := range a.records {
		t.counted = t.counted && p.counted
		t.suspect = t.suspect || p.passedBy > 0 || p.suspect(r.successes.Load())
		t.first = a.alone() && p.refusals == 0 && p.passedBy == 0 && p.parts.chunk == 0
	}
	return t
}

// failed decides what a failed request means for its records, which wait again or are settled.
func (r *replayer) failed(a result) {
	t := r.trial(a)
	now := r.group.set.Now()
	v := r.weigh(t)
	if v == inconclusive {
		a.permit.cancel()
		r.release(a.records)
		return
	}
	r.opt.Observer.ReplayFailed()
	r.noteFailure(a.records)
	switch {
	case v == tooLarge:
		a.permit.cancel()
		if divide(a.records) {
			r.sizes.tooLarge(now, a.bytes())
		} else {
			r.sizes.aloneTooLarge()
			a.records[0].halve(false)
		}
		r.release(a.records)
		return
	case v == refused && t.company:
		a.permit.cancel()
		divide(a.records)
		r.release(a.records)
		return
	case v == refused:
		if t.failure.Class == failure.TooLarge {
			r.sizes.aloneTooLarge()
		}
		a.permit.conclude(v, t)
		r.refusedForGood(a.records[0], t.failure, a.cause)
		return
	}
	// A downstream that asks for more than a probe's longest wait is asked again: it may have been wrong.
	r.pace.block(now.Add(min(t.failure.RetryAfter, r.group.set.MaxOpenInterval)))
	if t.failure.Kind == failure.ThrottledKind {
		a.permit.conclude(v, t)
		r.throttled(a, t.failure)
		return
	}
	passedSince := t.suspect
	for _, p := range a.records {
		p.counted = p.counted || t.failure.AboutData
		p.fail(len(a.records), r.successes.Load(), r.window.inOrder)
	}
	if v == waiting && t.company {
		divide(a.records)
	}
	switch {
	case t.company:
		a.permit.conclude(v, t)
		r.window.pass(a.records)
		r.release(a.records)
	case r.window.inOrder:
		r.headFailed(a, t, v)
	default:
		a.permit.conclude(v, t)
		r.failedAlone(a, t, v, passedSince)
	}
}

// throttled leaves records for later. The next attempt is with half of them where their size may be the reason.
func (r *replayer) throttled(a result, f failure.Failure) {
	if f.MaybeSize && !divide(a.records) {
		a.records[0].halve(true)
	}
	r.window.pass(a.records)
	r.release(a.records)
	r.pace.slower()
}

// failedAlone decides about a record that failed alone, where others may pass it.
func (r *replayer) failedAlone(a result, t trial, v verdict, passedSince bool) {
	p, now := a.records[0], r.group.set.Now()
	r.window.pass(a.records)
	if v == waiting {
		p.refuse(now)
		if t.failure.Kind == failure.SharedKind && p.refusedForGood(now, passedSince) && r.refusals.State() == breaker.Closed {
			r.giveUp(p, disposition{reason: ReasonPoison, failure: t.failure, cause: a.cause})
			return
		}
		r.releaseUntil(p, p.retryRefused(now))
		return
	}
	if !r.recent.well() { // it may be the downstream: the record keeps its place, and nothing counts against it
		r.pace.block(now.Add(r.backoff(1)))
		r.release(a.records)
		return
	}
	if p.alone++; p.alone >= poisonFailures {
		r.giveUp(p, disposition{reason: ReasonPoison, failure: t.failure, cause: a.cause})
		return
	}
	r.releaseUntil(p, now.Add(r.backoff(p.alone)))
}

// backoff is the pause after the nth failure of a record alone.
func (r *replayer) backoff(n int) time.Duration {
	set := r.group.set
	d := float64(set.InitialInterval) * math.Pow(set.Multiplier, float64(max(0, n-1)))
	return time.Duration(min(d, float64(min(set.MaxInterval, maxRetry))))
}

// refusedForGood moves a record, or what is left of it, to the dead letter.
func (r *replayer) refusedForGood(p *pending, f failure.Failure, cause error) {
	d := disposition{reason: ReasonRefused, failure: f, cause: cause}
	if p.parts.chunk == 0 {
		r.giveUp(p, d)
		return
	}
	// A part may be refused for another reason than its size: find the items at fault as if it were the size.
	if !p.halve(false) && p.skip(d) {
		r.finishParts(p)
		return
	}
	r.release([]*pending{p})
}

// divide makes records that went out together go in halves, at most; false for one alone.
func divide(records []*pending) bool {
	for _, p := range records {
		p.share = half(len(records))
	}
	return len(records) > 1
}

// giveUp moves a record to the dead letter that will never be delivered, except for the parts that were.
func (r *replayer) giveUp(p *pending, d disposition) {
	if d.failure.Kind.Refused() && p.refusals == 0 {
		p.refuse(r.group.set.Now())
	}
	for {
		if len(p.parts.refused) > 0 {
			d = p.parts.refused[0].why
		}
		b, whole, err := r.undelivered(p)
		if err == nil && b == nil {
			break
		}
		d.attempts = p.attempts
		if err != nil || r.opt.DeadLetter == nil || r.appendDead(b, d, r.appendLimit(context.Background())) != nil {
			r.passOver(p)
			return
		}
		if whole {
			break
		}
		if len(p.parts.refused) > 0 {
			p.parts.refused = p.parts.refused[1:]
		} else {
			p.parts.from = p.items
		}
	}
	r.countParts(p)
	r.finish(p)
}

// undelivered returns what is left of a record in one piece; nil: nothing.
func (r *replayer) undelivered(p *pending) (b Batch, whole bool, err error) {
	from, to := p.parts.from, p.items
	if len(p.parts.refused) > 0 {
		from, to = p.parts.refused[0].at, p.parts.refused[0].at+1
	}
	if whole = p.parts.taken == 0; !whole && from >= to {
		return nil, false, nil
	}
	if b, err = r.decode([]*pending{p}); err == nil && !whole {
		b = b.Part(from, to)
	}
	return b, whole, err
}

// finishParts settles a record whose last part has been decided. Items that were refused go to the dead letter.
func (r *replayer) finishParts(p *pending) {
	var why disposition
	if n := len(p.parts.refused); n > 0 {
		why = p.parts.refused[n-1].why
	}
	if p.parts.taken == 0 {
		// Not one item was accepted: that may be the downstream's fault, and counts for the rule of five.
		if p.refusals++; p.refusals == 1 {
			r.refusals.Count()
		}
		p.parts = parts{}
		if r.refusals.State() != breaker.Closed {
			r.releaseUntil(p, r.group.set.Now().Add(refusedRetry))
			return
		}
	}
	r.giveUp(p, why)
}

// buryLine settles a record that cannot be decoded although its checksum is right: no second reading will do better.
func (r *replayer) buryLine(p *pending, cause error) {
	if r.opt.DeadLetter == nil || r.copyToDead(p.entry.Record) != nil {
		r.opt.Observer.Failed(failure.DeadLetter)
		r.passOver(p)
		return
	}
	r.opt.Observer.Buried(ReasonUndecodable, p.items, cause)
	r.finish(p)
}

// passOver lets a record wait for which the dead letter has no room. The log keeps it, and others pass it, in strict order too.
func (r *replayer) passOver(p *pending) {
	r.window.pass([]*pending{p})
	r.countDropped(r.window.release([]*pending{p}, r.group.set.Now().Add(buryAgain)))
}

// release lets records wait again. What log::on_full has dropped of them meanwhile has had no outcome: it counts now.
func (r *replayer) release(records []*pending) {
	r.countDropped(r.window.release(records, time.Time{}))
}

// releaseUntil lets a record wait, and others pass it, until a time. In strict order none passes it.
func (r *replayer) releaseUntil(p *pending, at time.Time) {
	if r.window.inOrder {
		at = time.Time{}
	}
	r.countDropped(r.window.release([]*pending{p}, at))
}

// finish says of a record that it is dealt with: to the log first, so that drop never counts it as given up.
func (r *replayer) finish(p *pending) {
	if err := r.opt.Log.Done(p.entry); err != nil {
		r.trouble(health.Tending, err)
		r.opt.Observer.Failed(failure.Log)
		r.opt.Observer.Error(failure.Log, "the log's cursor cannot be saved: a restart would repeat records", err)
	}
	r.window.settle(p)
}
