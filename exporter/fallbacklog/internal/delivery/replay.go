package delivery

import "time"

const (
	// pollProbe is how often replay asks again while another signal's probe is out.
	pollProbe = 100 * time.Millisecond
	// codeUndecodable is the dead letter's code for records that are whole and cannot be decoded.
	codeUndecodable = "undecodable"
	// troubleWait is the pause after an error of the disk, or when the dead letter does not take a record.
	troubleWait = 5 * time.Second
)

// replayer takes a lane's log to the downstream until Shutdown. One goroutine owns it: it reads, chooses what to send,
// and judges the answers. Each request is with a goroutine of its own, which ends when the wrapped exporter answers.
//
// After a failure the next records are tried, so that a bad one neither blocks the others nor keeps the breaker open; a
// record that fails while others pass goes to the dead letter.
type replayer struct {
	*Lane
	pace    pace
	locked  int         // records passed over, since they are encrypted with another key: the log keeps them
	out     int         // requests with the wrapped exporter
	answers chan answer // with room for each of them: nobody waits to answer
	// readAgain is when to, after an error of the log.
	readAgain time.Time
}

// consignment is a request of replay: records that go out together, and what lets them.
type consignment struct {
	records []*pending
	permit  permit
}

func (c consignment) items() (n int) {
	for _, r := range c.records {
		n += r.items
	}
	return n
}

func (c consignment) bytes() (n int) {
	for _, r := range c.records {
		n += r.size()
	}
	return n
}

// replay runs until Shutdown. Where there is nothing to replay to, it only lets records go that are too old.
func (l *Lane) replay() {
	defer close(l.replayed)
	set := l.group.set
	r := &replayer{
		Lane:    l,
		pace:    pace{requests: set.ReplayPerSecond, bytes: set.ReplayBytesPerSecond},
		answers: make(chan answer, set.Concurrency),
	}
	for !l.stopping() {
		r.step()
	}
	r.leave()
}

// step does the next thing there is to do, or waits for one.
func (r *replayer) step() {
	r.read()
	if r.expire() {
		return
	}
	sends := r.group.set.Exports && r.group.set.Replay
	empty := r.window.empty()
	r.stuck.Store(r.locked > 0 && empty)
	if empty {
		if d := r.readAgain.Sub(r.group.set.Now()); d > 0 {
			r.wait(nil, d)
			return
		}
		if sends {
			r.group.drained()
		}
		r.wait(r.opt.Log.Readable(), 0)
		return
	}
	if !sends || r.out >= r.limit() {
		r.wait(nil, 0)
		return
	}
	if d := max(r.group.breaker.Wait(), r.parked.Wait(), r.holding(), r.pace.delay(r.group.set.Now())); d > 0 {
		r.wait(nil, d)
		return
	}
	records := r.window.choose(r.group.set.CoalesceBytes)
	if len(records) == 0 { // all are out
		r.wait(r.opt.Log.Readable(), 0)
		return
	}
	if r.skipOld(records) {
		return
	}
	p, not := r.allow(true)
	if not != "" {
		r.release(records)
		r.wait(nil, pollProbe)
		return
	}
	r.send(consignment{records, p})
}

// limit is how many requests may be out: one for a downstream that has asked for less, or in order.
func (r *replayer) limit() int {
	if r.group.set.Strict || r.pace.slowed() {
		return 1
	}
	return r.group.set.Concurrency
}

// leave waits for the requests that are out, unless Shutdown gives them up: the log has their records still.
func (r *replayer) leave() {
	for r.out > 0 && r.left == 0 {
		select {
		case a := <-r.answers:
			r.answered(a)
		case <-r.deserted:
			out := r.window.allOut()
			r.left = len(out)
			r.release(out)
		}
	}
}

// wait returns after d, when ready fires, an answer comes, a record expires, or Shutdown begins. d = 0 is for as long as
// it takes.
func (r *replayer) wait(ready <-chan struct{}, d time.Duration) {
	if left, ok := r.nextExpiry(); ok && (d == 0 || left < d) {
		d = max(left, time.Nanosecond)
	}
	var timer <-chan time.Time
	if d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		timer = t.C
	}
	select {
	case <-ready:
	case <-timer:
	case a := <-r.answers:
		r.answered(a)
	case <-r.closing:
	}
}
