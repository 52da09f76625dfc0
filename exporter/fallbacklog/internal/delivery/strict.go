package delivery

import (
	"errors"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/breaker"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/failure"
)

const (
	// escapeFailures is how often the head must fail alone before probes follow it.
	escapeFailures = 5
	// escapeProbes is how many later records are tried for one failure of the head, at most.
	escapeProbes = 8
	// escapePasses is how many later records must pass the head before it goes to the dead letter.
	escapePasses = 3
)

// strictLimit is how often a head must fail alone to go to the dead letter. Where 30 % of requests fail, one good record
// in 15,000 fails eight times in a row; where half of the replicas refuse a token, one in 65,000 is refused 16 times.
func strictLimit(k failure.Kind) int {
	if k.Refused() {
		return 16
	}
	return 8
}

// escape is how strict order gets past a head that fails while later records pass. It is used by one goroutine.
type escape struct {
	permit  permit // the head's, while a probe is out
	trial   trial  // the head's
	verdict verdict
	tried   int    // probes for this failure of the head
	next    uint64 // number of the record to probe from
	failed  int    // failures of the head in a row for which no probe passed
}

// headFailed decides about the head of strict order, which failed alone.
func (r *replayer) headFailed(a result, t trial, v verdict) {
	p, now := a.records[0], r.group.set.Now()
	p.alone++
	p.failedAlone = true
	if v == waiting {
		p.refuse(now)
	}
	if p.passedBy >= escapePasses {
		if p.alone >= strictLimit(t.failure.Kind) {
			a.permit.conclude(v, t)
			r.window.extend(false)
			r.giveUp(p, disposition{reason: ReasonPoison, failure: t.failure, cause: a.cause})
			return
		}
		a.permit.conclude(v, t) // others have shown that they pass: no pause
		r.release(a.records)
		return
	}
	r.release(a.records)
	if p.alone < escapeFailures && r.refusals.State() == breaker.Closed {
		a.permit.conclude(v, t)
		if !r.recent.mostly() { // it may be the downstream
			r.pace.block(now.Add(r.backoff(p.alone)))
		}
		return
	}
	r.window.extend(true)
	r.read()
	r.escape.permit, r.escape.trial, r.escape.verdict, r.escape.tried = a.permit, t, v, 0
	r.escape.next = max(r.escape.next, p.number+1)
	r.probeNext(p.number + 1)
}

// probeNext sends the next record as a probe under the head's permit, from the number first on, or ends the permit.
func (r *replayer) probeNext(first uint64) {
	e := &r.escape
	probe := r.window.after(e.next)
	if probe == nil && e.tried == 0 && e.next > first {
		probe = r.window.after(first) // the last ones have been tried: begin again behind the head
	}
	if probe == nil || e.tried == escapeProbes || r.stopping() {
		if probe != nil {
			r.release([]*pending{probe})
		}
		r.endEscape()
		return
	}
	e.tried++
	e.next = probe.number + 1
	r.send(consignment{records: []*pending{probe}, permit: e.permit, probe: true})
}

// endEscape ends the permit of a head for which no probe has passed.
func (r *replayer) endEscape() {
	e := &r.escape
	e.permit.conclude(e.verdict, e.trial)
	if r.refusals.State() == breaker.Closed { // else the signal waits for longer
		e.failed++
		r.pace.block(r.group.set.Now().Add(r.backoff(e.failed)))
	}
}

// probeAnswered notes how a probe went.
func (r *replayer) probeAnswered(a result) {
	p := a.records[0]
	if a.cause == nil {
		a.permit.success()
		r.escape.failed = 0
		if p.parts.taken == 0 { // a record counts once, with the first part of it that passes
			r.window.passedBy(p)
		}
		r.passed(a)
		return
	}
	if errors.Is(a.cause, errUndecodable) {
		r.buryLine(p, a.cause)
		r.probeNext(0)
		return
	}
	t := r.trial(a)
	v := r.weigh(t)
	r.opt.Observer.ReplayFailed()
	switch {
	case v == inconclusive, t.failure.Kind == failure.ThrottledKind, t.failure.Code == "":
		// No word about the record: nothing is learned from the ones after it.
		p.failedAlone = p.failedAlone || v == again && t.failure.Kind != failure.ThrottledKind
		r.release(a.records)
		r.endEscape()
		return
	case v == refused:
		r.refusedForGood(p, t.failure, a.cause)
	case v == tooLarge:
		p.failedAlone = true
		r.sizes.aloneTooLarge()
		p.halve(false)
		r.release(a.records)
	default:
		p.failedAlone = true
		if v == waiting {
			p.refuse(r.group.set.Now())
		}
		if t.failure.AboutData && !p.counted {
			p.counted = true
			r.group.breaker.Count()
		}
		p.fail(1, r.successes.Load(), true)
		r.release(a.records)
	}
	r.probeNext(0)
}
