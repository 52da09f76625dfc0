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

// result is the outcome of a replayRequest.
type result struct {
	replayRequest
	refusedItems int   // items that the downstream refused in a request that it accepted
	cause        error // nil: the downstream has accepted the request
}

// errUndecodable means that no request could be made of the records.
var errUndecodable = errors.New("decode a record of the log")

// send passes a request to the wrapped exporter.
func (r *replayer) send(c replayRequest) {
	for _, p := range c.records {
		p.attempts++
	}
	r.inFlight++
	r.pace.sent(r.group.opt.Now(), c.bytes())
	if c.decoded == nil {
		c.decoded = r.startDecoding(c.records)
	}
	go func() {
		a := result{replayRequest: c}
		<-c.decoded.done
		a.refusedItems, a.cause = r.tryRequest(c.decoded)
		r.results <- a
	}()
}

// tryRequest makes one attempt for several records as one batch, or for a part of one record.
func (l *Lane) tryRequest(d *decoding) (refusedItems int, err error) {
	if d.err != nil {
		return 0, fmt.Errorf("%w: %w", errUndecodable, d.err)
	}
	b := d.batch
	if p := d.records[0]; p.parts.chunk > 0 {
		b = b.Part(p.next())
	}
	return l.attempt(context.Background(), b, l.group.opt.Now().Add(l.group.opt.Timeout))
}

func (l *Lane) decode(records []*pending) (Batch, error) {
	encoded := make([][]byte, len(records))
	for i, p := range records {
		encoded[i] = p.entry.Record
	}
	return l.opt.Decode(encoded)
}

// answered decides about the records of a result.
func (r *replayer) answered(a result) {
	r.inFlight--
	switch {
	case a.probe:
		r.probeAnswered(a)
	case a.cause == nil:
		a.permit.success()
		r.passed(a)
	case errors.Is(a.cause, errUndecodable):
		a.permit.cancel()
		if divide(a.records) {
			r.putBack(a.records)
		} else {
			r.moveUndecodableToDeadLetter(a.records[0], a.cause)
		}
	default:
		r.failed(a)
	}
	r.pace.answered(r.group.opt.Now())
}

// passed counts the records that the downstream accepted and removes them from the log.
func (r *replayer) passed(a result) {
	r.pace.faster()
	r.recent.add(true)
	r.sizes.passed(a.bytes())
	if r.window.inOrder && !a.probe {
		r.window.extend(false)
	}
	if a.isSingle() && a.records[0].parts.chunk > 0 {
		r.partPassed(a.records[0], a.refusedItems)
	} else {
		r.deliveredReplayed(a.items(), a.refusedItems)
		for _, p := range a.records {
			if p.laterDelivered > 0 { // such a record goes alone
				r.opt.Observer.Late(p.items - a.refusedItems)
			}
			r.finish(p)
		}
	}
	r.succeeded()
}

// partPassed records that the downstream accepted a part of a record.
func (r *replayer) partPassed(p *pending, refusedItems int) {
	if !p.parts.doubtful {
		r.sizes.partAccepted(r.group.opt.Now(), p.size(), p.nextBytes())
	}
	if p.advance(refusedItems) {
		r.finishParts(p)
		return
	}
	r.putBack([]*pending{p})
}

// countRecent counts a failed request in recent, but only the first failure of its records: the halves of a failed request
// contain the same record at fault.
func (r *replayer) countRecent(records []*pending) {
	first := true
	for _, p := range records {
		first = first && !p.countedInRecent
		p.countedInRecent = true
	}
	if first {
		r.recent.add(false)
	}
}

// failedAttempt describes the failure of a request.
func (r *replayer) failedAttempt(a result) failedAttempt {
	f := r.classify(a.cause)
	t := failedAttempt{failure: f, cancelled: r.attemptsCtx.Err() != nil, together: !a.isSingle(), divisible: !a.isSingle() || a.items() > 1}
	t.countedByBreaker = true
	for _, p := range a.records {
		t.countedByBreaker = t.countedByBreaker && p.countedByBreaker
		t.suspect = t.suspect || p.laterDelivered > 0 || p.suspect(r.successes.Load())
		t.neverRefused = a.isSingle() && p.refusals == 0 && p.laterDelivered == 0 && p.parts.chunk == 0
	}
	return t
}

// failed decides about the records of a failed request. They wait again, go to the dead letter or are deleted.
func (r *replayer) failed(a result) {
	t := r.failedAttempt(a)
	now := r.group.opt.Now()
	v := r.verdictOn(t)
	if v == inconclusive {
		a.permit.cancel()
		r.putBack(a.records)
		return
	}
	r.opt.Observer.ReplayFailed()
	r.countRecent(a.records)
	switch {
	case v == tooLarge:
		a.permit.cancel()
		if divide(a.records) {
			r.sizes.tooLarge(now, a.bytes())
		} else {
			r.sizes.aloneTooLarge()
			a.records[0].halve(false)
		}
		r.putBack(a.records)
		return
	case v == refusedForGood && t.together:
		a.permit.cancel()
		divide(a.records)
		r.putBack(a.records)
		return
	case v == refusedForGood:
		if t.failure.Class == failure.TooLarge {
			r.sizes.aloneTooLarge()
		}
		a.permit.conclude(v, t)
		r.moveRefusedToDeadLetter(a.records[0], t.failure, a.cause)
		return
	}
	// A longer wait than MaxOpenInterval is not granted: the downstream may have asked for it by mistake.
	r.pace.block(now.Add(min(t.failure.RetryAfter, r.group.opt.MaxOpenInterval)))
	if t.failure.Kind == failure.ThrottledKind {
		a.permit.conclude(v, t)
		r.throttled(a, t.failure)
		return
	}
	passedSince := t.suspect
	for _, p := range a.records {
		p.countedByBreaker = p.countedByBreaker || t.failure.AboutData
		p.noteFailure(len(a.records), r.successes.Load(), r.window.inOrder)
	}
	if v == refusedForNow && t.together {
		divide(a.records)
	}
	switch {
	case t.together:
		a.permit.conclude(v, t)
		r.window.chooseAfter(a.records)
		r.putBack(a.records)
	case r.window.inOrder:
		r.headFailed(a, t, v)
	default:
		a.permit.conclude(v, t)
		r.failedAlone(a, t, v, passedSince)
	}
}

// throttled lets the records of a throttled request wait. If their size may be the reason the next attempt has half of them.
func (r *replayer) throttled(a result, f failure.Failure) {
	if f.MaybeSize && !divide(a.records) {
		a.records[0].halve(true)
	}
	r.window.chooseAfter(a.records)
	r.putBack(a.records)
	r.pace.slower()
}

// failedAlone decides about a record that failed alone, in an order in which others may pass it.
func (r *replayer) failedAlone(a result, t failedAttempt, v verdict, passedSince bool) {
	p, now := a.records[0], r.group.opt.Now()
	r.window.chooseAfter(a.records)
	if v == refusedForNow {
		p.noteRefusal(now)
		if t.failure.Kind == failure.SharedKind && p.isPoison(now, passedSince) && r.refusalBreaker.State() == breaker.Closed {
			r.moveRecordToDeadLetter(p, disposition{reason: ReasonPoison, failure: t.failure, cause: a.cause})
			return
		}
		r.putBackUntil(p, p.retryRefused(now))
		return
	}
	if !r.recent.nearlyAllPassed() { // the downstream may be the cause: the record keeps its place and the failure does not count
		r.pace.block(now.Add(r.backoff(1)))
		r.putBack(a.records)
		return
	}
	if p.failuresAlone++; p.failuresAlone >= poisonFailures {
		r.moveRecordToDeadLetter(p, disposition{reason: ReasonPoison, failure: t.failure, cause: a.cause})
		return
	}
	r.putBackUntil(p, now.Add(r.backoff(p.failuresAlone)))
}

// backoff returns the pause after the nth failure of a record alone.
func (r *replayer) backoff(n int) time.Duration {
	opt := r.group.opt
	d := float64(opt.InitialInterval) * math.Pow(opt.Multiplier, float64(max(0, n-1)))
	return time.Duration(min(d, float64(min(opt.MaxInterval, maxRetry))))
}

// moveRefusedToDeadLetter moves a record that was refused for good, or the rest of it, to the dead letter.
func (r *replayer) moveRefusedToDeadLetter(p *pending, f failure.Failure, cause error) {
	d := disposition{reason: ReasonRefused, failure: f, cause: cause}
	if p.parts.chunk == 0 {
		r.moveRecordToDeadLetter(p, d)
		return
	}
	// A part may be refused for another reason than its size. The items at fault are found in the same way.
	if !p.halve(false) && p.skip(d) {
		r.finishParts(p)
		return
	}
	r.putBack([]*pending{p})
}

// divide makes records that went out together go in halves at most. It returns false for a single record.
func divide(records []*pending) bool {
	for _, p := range records {
		p.maxTogether = half(len(records))
	}
	return len(records) > 1
}

// moveRecordToDeadLetter moves a record that will never be delivered to the dead letter, without the parts that were delivered.
func (r *replayer) moveRecordToDeadLetter(p *pending, d disposition) {
	if d.failure.Kind.Refused() && p.refusals == 0 {
		p.noteRefusal(r.group.opt.Now())
	}
	for {
		if len(p.parts.deadItems) > 0 {
			d = p.parts.deadItems[0].disposition
		}
		b, whole, err := r.undelivered(p)
		if err == nil && b == nil {
			break
		}
		d.attempts = p.attempts
		if err != nil || r.opt.DeadLetter == nil || r.appendToDeadLetter(b, d, r.appendLimit(context.Background())) != nil {
			r.waitForDeadLetter(p)
			return
		}
		if whole {
			break
		}
		if len(p.parts.deadItems) > 0 {
			p.parts.deadItems = p.parts.deadItems[1:]
		} else {
			p.parts.from = p.items
		}
	}
	r.countParts(p)
	r.finish(p)
}

// undelivered returns the next piece of a record that was not delivered, or nil if nothing is left. whole is true if no part of
// the record was delivered.
func (r *replayer) undelivered(p *pending) (b Batch, whole bool, err error) {
	from, to := p.parts.from, p.items
	if len(p.parts.deadItems) > 0 {
		from, to = p.parts.deadItems[0].index, p.parts.deadItems[0].index+1
	}
	if whole = p.parts.accepted == 0; !whole && from >= to {
		return nil, false, nil
	}
	if b, err = r.decode([]*pending{p}); err == nil && !whole {
		b = b.Part(from, to)
	}
	return b, whole, err
}

// finishParts ends a record whose last part has been decided. Items that were refused go to the dead letter.
func (r *replayer) finishParts(p *pending) {
	var why disposition
	if n := len(p.parts.deadItems); n > 0 {
		why = p.parts.deadItems[n-1].disposition
	}
	if p.parts.accepted == 0 {
		// No item was accepted. The downstream may be the cause, so it counts for the rule of five.
		if p.refusals++; p.refusals == 1 {
			r.refusalBreaker.Count()
		}
		p.parts = parts{}
		if r.refusalBreaker.State() != breaker.Closed {
			r.putBackUntil(p, r.group.opt.Now().Add(refusedRetry))
			return
		}
	}
	r.moveRecordToDeadLetter(p, why)
}

// moveUndecodableToDeadLetter moves a record to the dead letter that cannot be decoded although its checksum is right. Another
// read would not help.
func (r *replayer) moveUndecodableToDeadLetter(p *pending, cause error) {
	if r.opt.DeadLetter == nil || r.copyToDeadLetter(p.entry.Record) != nil {
		r.opt.Observer.Failed(failure.DeadLetter)
		r.waitForDeadLetter(p)
		return
	}
	r.opt.Observer.DeadLettered(ReasonUndecodable, p.items, cause)
	r.finish(p)
}

// waitForDeadLetter lets a record wait that the dead letter has refused. The log keeps it, and others pass it, in strict order
// too.
func (r *replayer) waitForDeadLetter(p *pending) {
	r.window.chooseAfter([]*pending{p})
	r.countDropped(r.window.putBack([]*pending{p}, r.group.opt.Now().Add(deadLetterRetry)))
}

// putBack lets records wait again. It counts the records whose segment log::on_full has dropped meanwhile.
func (r *replayer) putBack(records []*pending) {
	r.countDropped(r.window.putBack(records, time.Time{}))
}

// putBackUntil lets a record wait until a time while others pass it. In strict order no other passes it.
func (r *replayer) putBackUntil(p *pending, at time.Time) {
	if r.window.inOrder {
		at = time.Time{}
	}
	r.countDropped(r.window.putBack([]*pending{p}, at))
}

// finish marks a record as done. It tells the log first, so that drop never counts the record as dropped.
func (r *replayer) finish(p *pending) {
	if err := r.opt.Log.Done(p.entry); err != nil {
		r.setTrouble(health.Shrinking, err)
		r.opt.Observer.Failed(failure.Log)
		r.opt.Observer.Error(failure.Log, "the log's cursor cannot be saved: a restart would repeat records", err)
	}
	r.window.removeDone(p)
}
