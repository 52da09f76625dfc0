package delivery

import (
	"errors"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/breaker"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/failure"
)

const (
	// escapeFailures is how often the head must fail alone before probes follow it.
	escapeFailures = 5
	// escapeProbes is how many later records are tried per failure of the head, at most.
	escapeProbes = 8
	// escapePasses is how many later records must pass the head before it goes to the dead letter.
	escapePasses = 3
)

// strictLimit is how often a head must fail alone before it goes to the dead letter. If 30 % of requests fail, one good record
// in 15,000 fails eight times in a row. If half of the replicas refuse a token, one in 65,000 is refused 16 times.
func strictLimit(k failure.Kind) int {
	if k.Refused() {
		return 16
	}
	return 8
}

// escape is the state of the escape: how strict order gets past a head that fails while later records pass. One goroutine uses
// it.
type escape struct {
	permit        permit        // of the head, while a probe is in flight
	failedAttempt failedAttempt // of the head
	verdict       verdict
	tried         int    // probes since the head's last failure
	next          uint64 // number of the first record to probe
	failed        int    // consecutive failures of the head for which no probe passed
}

// headFailed decides about the head of strict order after it failed alone.
func (r *replayer) headFailed(a result, t failedAttempt, v verdict) {
	p, now := a.records[0], r.group.opt.Now()
	p.failuresAlone++
	p.countsLater = true
	if v == refusedForNow {
		p.noteRefusal(now)
	}
	if p.laterDelivered >= escapePasses {
		if p.failuresAlone >= strictLimit(t.failure.Kind) {
			a.permit.conclude(v, t)
			r.window.extend(false)
			r.moveRecordToDeadLetter(p, disposition{reason: ReasonPoison, failure: t.failure, cause: a.cause})
			return
		}
		a.permit.conclude(v, t) // others have shown that the downstream accepts data, so there is no pause
		r.putBack(a.records)
		return
	}
	r.putBack(a.records)
	if p.failuresAlone < escapeFailures && r.refusalBreaker.State() == breaker.Closed {
		a.permit.conclude(v, t)
		if !r.recent.halfPassed() { // the downstream may be the cause
			r.pace.block(now.Add(r.backoff(p.failuresAlone)))
		}
		return
	}
	r.window.extend(true)
	r.read()
	r.escape.permit, r.escape.failedAttempt, r.escape.verdict, r.escape.tried = a.permit, t, v, 0
	r.escape.next = max(r.escape.next, p.number+1)
	r.probeNext(p.number + 1)
}

// probeNext sends the next record as a probe under the head's permit. first is the number of the first record behind the head.
// If no record is left to probe, probeNext ends the permit.
func (r *replayer) probeNext(first uint64) {
	e := &r.escape
	probe := r.window.after(e.next)
	if probe == nil && e.tried == 0 && e.next > first {
		probe = r.window.after(first) // all later ones have been tried: begin again behind the head
	}
	if probe == nil || e.tried == escapeProbes || r.stopping() {
		if probe != nil {
			r.putBack([]*pending{probe})
		}
		r.endEscape()
		return
	}
	e.tried++
	e.next = probe.number + 1
	r.send(replayRequest{records: []*pending{probe}, permit: e.permit, probe: true})
}

// endEscape ends the permit of a head for which no probe has passed.
func (r *replayer) endEscape() {
	e := &r.escape
	e.permit.conclude(e.verdict, e.failedAttempt)
	if r.refusalBreaker.State() == breaker.Closed { // otherwise the signal waits longer than this pause
		e.failed++
		r.pace.block(r.group.opt.Now().Add(r.backoff(e.failed)))
	}
}

// probeAnswered decides about a probe.
func (r *replayer) probeAnswered(a result) {
	p := a.records[0]
	if a.cause == nil {
		a.permit.success()
		r.escape.failed = 0
		if p.parts.accepted == 0 { // a record counts once, with its first part that passes
			r.window.countDelivered(p)
		}
		r.passed(a)
		return
	}
	if errors.Is(a.cause, errUndecodable) {
		r.moveUndecodableToDeadLetter(p, a.cause)
		r.probeNext(0)
		return
	}
	t := r.failedAttempt(a)
	v := r.verdictOn(t)
	r.opt.Observer.ReplayFailed()
	switch {
	case v == inconclusive, t.failure.Kind == failure.ThrottledKind, t.failure.Code == "":
		// The answer is not about the record, so probes behind it would show nothing either.
		p.countsLater = p.countsLater || v == retryable && t.failure.Kind != failure.ThrottledKind
		r.putBack(a.records)
		r.endEscape()
		return
	case v == refusedForGood:
		r.moveRefusedToDeadLetter(p, t.failure, a.cause)
	case v == tooLarge:
		p.countsLater = true
		r.sizes.aloneTooLarge()
		p.halve(false)
		r.putBack(a.records)
	default:
		p.countsLater = true
		if v == refusedForNow {
			p.noteRefusal(r.group.opt.Now())
		}
		if t.failure.AboutData && !p.countedByBreaker {
			p.countedByBreaker = true
			r.group.breaker.Count()
		}
		p.noteFailure(1, r.successes.Load(), true)
		r.putBack(a.records)
	}
	r.probeNext(0)
}
