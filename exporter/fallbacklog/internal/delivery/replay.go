package delivery

import (
	"time"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/record"
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
func (l *Lane) replay() {
	defer close(l.replayed)
	var w window
	p := newPace(l.group.set.ReplayPerSecond)
	for !l.stopping() {
		r, err := l.pick(&w)
		if err != nil {
			l.trouble(err)
			continue
		}
		if r == nil {
			l.group.drained()
			l.wait(l.opt.Log.Readable(), 0)
			continue
		}
		if l.expire(&w) {
			continue
		}
		if r.batch == nil {
			l.buryLine(&w, r)
			continue
		}
		if d := max(l.group.breaker.Wait(), p.blocked(l.group.set.Now())); d > 0 {
			l.rest(&w, d)
			continue
		}
		l.rest(&w, p.delay(l.group.set.Now()))
		if l.stopping() || l.expire(&w) {
			continue
		}
		permit := l.group.breaker.Allow(true)
		if permit == nil {
			l.wait(nil, pollProbe)
			continue
		}
		l.deliver(&w, r, permit, p)
	}
	l.leaveBehind(&w)
}

// leaveBehind counts what log::on_full dropped while it was on its way: the log has the other records still.
func (l *Lane) leaveBehind(w *window) {
	cursor := l.opt.Log.Cursor()
	for _, r := range w.records {
		if r.entry.Start.Before(cursor) {
			l.opt.Observer.Dropped(droppedFull, r.items)
		}
	}
}

// pick returns the record to try next, nil when the log is drained.
func (l *Lane) pick(w *window) (*pending, error) {
	for {
		if r := w.next(); r != nil {
			return r, nil
		}
		e, ok, err := l.opt.Log.Next()
		if err != nil {
			return nil, err
		}
		if !ok {
			return w.wrap(), nil
		}
		b, meta, err := l.opt.Decode(e.Record)
		r := &pending{batch: b, items: meta.Items, written: meta.Time, attempts: meta.Attempts, entry: e}
		if err == nil {
			r.entry.Record = nil // decoded: one copy is enough
		}
		w.add(r)
	}
}

// buryLine settles a record that cannot be decoded although its checksum holds: no second reading will do better.
func (l *Lane) buryLine(w *window, r *pending) {
	if l.opt.DeadLetter == nil || l.copyToDead(r.entry.Record) != nil {
		l.opt.Observer.Failed("dead_letter")
		l.wait(nil, troubleWait)
		w.pass()
		return
	}
	l.opt.Observer.Buried(codeUndecodable, r.items)
	l.settle(w, r)
}

func (l *Lane) copyToDead(line []byte) error {
	line, err := record.Copy(l.opt.Codec, line)
	if err != nil {
		return err
	}
	return l.opt.DeadLetter.Append(line)
}

func (l *Lane) trouble(err error) {
	l.opt.Observer.Failed("log")
	l.opt.Observer.Error("the local log cannot be read", err)
	l.wait(nil, troubleWait)
}

// wait returns after d, when ready fires, or when Shutdown begins. d = 0 with a channel waits for as long as it takes.
func (l *Lane) wait(ready <-chan struct{}, d time.Duration) {
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
