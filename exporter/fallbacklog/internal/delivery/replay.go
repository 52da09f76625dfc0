package delivery

import (
	"sync"
	"time"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/breaker"
)

const (
	// pollProbe is how often replay asks again while another signal's probe is out.
	pollProbe = 100 * time.Millisecond
	// liveGrace is how long replay leaves the probe of a signal that waits to live data when it is live data's turn.
	liveGrace = time.Second
	// troubleWait is the pause after an error of the disk.
	troubleWait = 5 * time.Second
	// buryAgain is how long a record is passed over that the dead letter has not accepted.
	buryAgain = time.Minute
)

// replayer takes a lane's log to the downstream until Shutdown. One goroutine owns it: it reads, chooses what to send,
// and judges the answers. Each request is with a goroutine of its own, which ends when the wrapped exporter answers.
//
// After a failure the next records are tried, so that a bad one neither blocks the others nor keeps the breaker open. See
// the package comment for the rules.
type replayer struct {
	*Lane
	pace   pace
	sizes  sizes
	escape escape
	ahead  ahead
	// decoders are the goroutines that decode. They are started by the owner only.
	decoders sync.WaitGroup
	locked   int         // records passed over, since they are encrypted with another key: the log keeps them
	out      int         // requests with the wrapped exporter
	results  chan result // with room for each of them: nobody waits to answer
	yielded  bool        // live data has had its time to probe
	waited   bool        // the signal waited for the downstream
	// readAgain is when to, after an error of the log.
	readAgain time.Time
}

// consignment is a request of replay: records that go out together, and what lets them.
type consignment struct {
	records []*pending
	permit  permit
	probe   bool // the escape sends it under the head's permit
	decoded *decoding
}

// items is the number of items of the request, which may be a part of a record.
func (c consignment) items() (n int) {
	for _, p := range c.records {
		n += p.nextItems()
	}
	return n
}

// bytes is about the size of the request.
func (c consignment) bytes() (n int) {
	for _, p := range c.records {
		n += p.nextBytes()
	}
	return n
}

func (c consignment) alone() bool { return len(c.records) == 1 }

// replay runs until Shutdown. Where there is nothing to replay to, it only deletes records that are too old.
func (l *Lane) replay() {
	defer close(l.replayed)
	set := l.group.set
	r := &replayer{
		Lane:    l,
		pace:    pace{requests: set.ReplayPerSecond, bytes: set.ReplayBytesPerSecond},
		results: make(chan result, set.Concurrency),
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
	if !sends || r.out >= r.limit() || r.out > 0 && r.refusals.State() != breaker.Closed {
		r.prepare()
		r.wait(nil, 0)
		return
	}
	if d := max(r.group.breaker.Wait(), r.refusals.Wait(), r.asked(), r.pace.delay(r.group.set.Now())); d > 0 {
		r.wait(nil, d)
		return
	}
	if r.liveTurn() && !r.yielded {
		r.yielded = true
		r.wait(nil, liveGrace)
		return
	}
	r.endOfWait()
	records := r.choose()
	if len(records) == 0 { // all are out, or wait for their time
		r.wait(r.opt.Log.Readable(), r.untilRetry())
		return
	}
	if r.skipOld(records) {
		return
	}
	p, reason := r.allow(true)
	if reason != "" {
		r.release(records)
		r.wait(nil, pollProbe)
		return
	}
	r.yielded = false
	r.send(consignment{records: records, permit: p, decoded: r.ahead.find(records)})
}

// endOfWait lets all records be tried again when the signal no longer waits: the refusals may have been the downstream's.
func (r *replayer) endOfWait() {
	waits := r.refusals.State() != breaker.Closed
	if r.waited && !waits {
		r.window.retryNow()
	}
	r.waited = waits
}

// choose returns the records of the next request, which are out then. A probe is a record alone.
func (r *replayer) choose() []*pending {
	now := r.group.set.Now()
	switch {
	case r.window.inOrder:
	case r.refusals.State() != breaker.Closed:
		return r.window.probe(r.probes.Load()%probeTurns == probeAnother)
	}
	records := r.window.choose(now, r.requestBytes(now))
	if len(records) == 1 {
		r.fit(now, records[0])
	}
	return records
}

// requestBytes is how large a request of several records may be; 0: each record goes alone.
func (r *replayer) requestBytes(now time.Time) int {
	if r.group.breaker.State() != breaker.Closed || r.refusals.State() != breaker.Closed {
		return 0
	}
	bytes := r.group.set.CoalesceBytes
	if limit := r.sizes.limit(now); limit > 0 {
		bytes = min(bytes, limit)
	}
	return bytes
}

// fit makes a record that is known to be too large go in parts.
func (r *replayer) fit(now time.Time, p *pending) {
	limit := r.sizes.limit(now)
	if limit == 0 || p.parts.chunk > 0 || p.size() < r.sizes.refused || p.items <= 1 {
		return
	}
	p.parts.chunk = max(1, int(int64(p.items)*int64(limit)/int64(p.size())))
}

// untilRetry is how long the first record to be retried has to wait; 0: none has.
func (r *replayer) untilRetry() time.Duration {
	at, ok := r.window.nextRetry()
	if !ok {
		return 0
	}
	return max(time.Nanosecond, at.Sub(r.group.set.Now()))
}

// limit is how many requests may be out: one for a downstream that has asked for less, or in order.
func (r *replayer) limit() int {
	if r.opt.Strict || r.pace.slowed() {
		return 1
	}
	return r.group.set.Concurrency
}

// leave waits for the requests that are out, unless Shutdown gives them up: the log has their records still.
func (r *replayer) leave() {
	defer r.decoders.Wait()
	for r.out > 0 && r.left == 0 {
		select {
		case a := <-r.results:
			r.answered(a)
		case <-r.deserted:
			out := r.window.allOut()
			r.left = len(out)
			r.release(out)
		}
	}
}

// wait returns after d, when ready fires, an answer comes, a record expires or is to be retried, or Shutdown begins. d = 0
// is for as long as it takes.
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
	case a := <-r.results:
		r.answered(a)
	case <-r.closing:
	}
}
