package fallbacklog

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.uber.org/zap"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/breaker"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/failure"
)

const (
	// pollProbe is how often replay asks again while another signal's probe is out.
	pollProbe = 100 * time.Millisecond
	// codeUndecodable is the dead letter's code for records that are whole and cannot be decoded.
	codeUndecodable = "undecodable"
	// troubleWait is the pause after an error of the disk, or when the dead letter does not take a record.
	troubleWait = 5 * time.Second
)

// replay delivers what is in the log, oldest first, until Shutdown.
//
// One record is on its way at a time. After a failure the next one is tried, so that one bad record neither blocks the
// others nor keeps the breaker open; a record that fails while others pass goes to the dead letter.
func (l *lane) replay() {
	defer close(l.replayed)
	var w window
	p := newPace(l.core.cfg.Replay.MaxRequestsPerSecond)
	for !l.stopping() {
		r, err := l.pick(&w)
		if err != nil {
			l.trouble(err)
			continue
		}
		if r == nil {
			l.core.drained()
			l.wait(l.log.Readable(), 0)
			continue
		}
		if l.expire(&w) {
			continue
		}
		if r.batch == nil {
			l.buryLine(&w, r)
			continue
		}
		if d := max(l.core.breaker.Wait(), p.blocked(l.core.now())); d > 0 {
			l.rest(&w, d)
			continue
		}
		l.rest(&w, p.delay(l.core.now()))
		if l.stopping() || l.expire(&w) {
			continue
		}
		permit := l.core.breaker.Allow(true)
		if permit == nil {
			l.wait(nil, pollProbe)
			continue
		}
		l.deliver(&w, r, permit, p)
	}
	l.leaveBehind(&w)
}

// leaveBehind counts what log::on_full dropped while it was on its way: the log has the other records still.
func (l *lane) leaveBehind(w *window) {
	cursor := l.log.Cursor()
	for _, r := range w.records {
		if r.entry.Start.Before(cursor) {
			l.tel.dropped(dropFull, r.items)
		}
	}
}

// pick returns the record to try next, nil when the log is drained.
func (l *lane) pick(w *window) (*pending, error) {
	for {
		if r := w.next(); r != nil {
			return r, nil
		}
		e, ok, err := l.log.Next()
		if err != nil {
			return nil, err
		}
		if !ok {
			return w.wrap(), nil
		}
		b, meta, err := l.decode(e.Record)
		r := &pending{batch: b, items: meta.Items, written: meta.Time, attempts: meta.Attempts, entry: e}
		if err == nil {
			r.entry.Record = nil // decoded: one copy is enough
		}
		w.add(r)
	}
}

// buryLine settles a record that cannot be decoded although its checksum holds: no second reading will do better.
func (l *lane) buryLine(w *window, r *pending) {
	if l.dead == nil || l.dead.Append(append(r.entry.Record, '\n')) != nil {
		l.tel.failed("dead_letter")
		l.wait(nil, troubleWait)
		w.pass()
		return
	}
	l.tel.buried(codeUndecodable, r.items)
	l.settle(w, r)
}

// deliver makes one attempt for a record and settles it, or leaves it for later.
func (l *lane) deliver(w *window, r *pending, permit *breaker.Permit, p *pace) {
	r.attempts++
	cause := l.attempt(context.Background(), r.batch, l.core.now().Add(l.core.cfg.Timeout))
	if cause == nil {
		permit.Success()
		p.faster()
		l.tel.delivered(true, r.items)
		l.settle(w, r)
		l.core.succeeded()
		return
	}
	f := failure.Of(cause, consumererror.IsPermanent(cause))
	v := l.judge(permit, f, l.cut.Err() != nil, !r.refused)
	if v == inconclusive {
		return
	}
	l.tel.replayFailed()
	if v != systemic && f.Class != failure.Throttled {
		r.failed(l.core.successes.Load())
	}
	reason := reasonRefused
	if r.poison() {
		reason = reasonPoison
	}
	if v == refused || reason == reasonPoison {
		r.refused = true
		if l.dead == nil || l.appendDead(r.batch, reason, f, r.attempts) != nil {
			l.wait(nil, troubleWait) // parked: refused records have no other place
			w.pass()
			return
		}
		l.core.logger.Warn("a record went to the dead letter", zap.String("reason", reason), zap.Error(cause))
		l.settle(w, r)
		return
	}
	r.refused = r.refused || v == systemic
	w.pass()
	if f.Class == failure.Throttled {
		p.slower()
	}
	// A downstream that asks for more than a probe's longest wait is asked again: it may have been wrong.
	p.block(l.core.now().Add(min(f.RetryAfter, l.core.cfg.Breaker.MaxOpenInterval)))
}

// settle releases what is dealt with.
func (l *lane) settle(w *window, r *pending) {
	upTo, ok := w.settle(r)
	if !ok {
		return
	}
	if err := l.log.Release(upTo); err != nil {
		l.tel.failed("log")
		l.core.logger.Error("the log's cursor cannot be saved: a restart would repeat records", zap.Error(err))
	}
}

// expireOnly is replay's place where nothing is replayed: it only lets records go that are too old.
func (l *lane) expireOnly() {
	defer close(l.replayed)
	var w window
	for !l.stopping() {
		r, err := l.pick(&w)
		switch {
		case err != nil:
			l.trouble(err)
		case r == nil:
			l.wait(l.log.Readable(), 0)
		case !l.expire(&w):
			l.rest(&w, l.core.cfg.Log.MaxAge)
		}
	}
}

// expire lets the records of the window go that are too old, and reports whether there were any.
func (l *lane) expire(w *window) bool {
	age := l.core.cfg.Log.MaxAge
	if age == 0 {
		return false
	}
	old := w.olderThan(l.core.now().Add(-age))
	for _, r := range old {
		l.tel.expired(r.items)
		l.settle(w, r)
	}
	return len(old) > 0
}

// rest waits for d, or less where a record of the window expires before.
func (l *lane) rest(w *window, d time.Duration) {
	if age := l.core.cfg.Log.MaxAge; age > 0 {
		for _, r := range w.records {
			d = min(d, max(0, r.written.Add(age).Sub(l.core.now())))
		}
	}
	l.wait(nil, d)
}

func (l *lane) trouble(err error) {
	l.tel.failed("log")
	l.core.logger.Error("the local log cannot be read", zap.String("signal", l.signal), zap.Error(err))
	l.wait(nil, troubleWait)
}

// wait returns after d, when ready fires, or when Shutdown begins. d = 0 with a channel waits for as long as it takes.
func (l *lane) wait(ready <-chan struct{}, d time.Duration) {
	var timer <-chan time.Time
	if d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		timer = t.C
	} else if ready == nil {
		return
	}
	select {
	case <-ready:
	case <-timer:
	case <-l.closing:
	}
}
