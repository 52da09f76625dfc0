package delivery

import (
	"sync"
	"time"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/breaker"
)

const (
	// pollProbe is how often replay asks the breaker again while another signal's probe is in flight.
	pollProbe = 100 * time.Millisecond
	// liveGrace is how long replay waits for a live batch to make the probe when it is live data's turn.
	liveGrace = time.Second
	// troubleWait is the pause after a failed read of the log.
	troubleWait = 5 * time.Second
	// deadLetterRetry is how long a record waits after the dead letter has refused it.
	deadLetterRetry = time.Minute
)

// replayer sends a lane's log to the downstream until Shutdown. One goroutine owns it: it reads, chooses the records to send
// and decides about the answers. Each request has a goroutine of its own, which ends when the wrapped exporter returns.
//
// After a failure the replayer tries the next records, so that one bad record neither blocks the others nor keeps the breaker
// open. See the package comment for the rules.
type replayer struct {
	*Lane
	pace   pace
	sizes  sizes
	escape escape
	ahead  ahead
	// decoders are the goroutines that decode requests. Only the owner starts them.
	decoders      sync.WaitGroup
	otherKey      int         // records skipped because they are encrypted with another key; the log keeps them
	inFlight      int         // requests that the wrapped exporter has
	results       chan result // buffered for all requests, so that none waits to deliver its result
	liveGraceOver bool        // live data has had liveGrace to make its probe
	signalWaited  bool        // the signal waited at the last step
	// readAgainAt is when to read the log again after a failed read.
	readAgainAt time.Time
}

// replayRequest is a request of replay: the records that go out together and their permit.
type replayRequest struct {
	records []*pending
	permit  permit
	probe   bool // the escape sends it under the head's permit
	decoded *decoding
}

// items returns the number of items of the request, which may be a part of a record.
func (c replayRequest) items() (n int) {
	for _, p := range c.records {
		n += p.nextItems()
	}
	return n
}

// bytes returns the approximate size of the request.
func (c replayRequest) bytes() (n int) {
	for _, p := range c.records {
		n += p.nextBytes()
	}
	return n
}

func (c replayRequest) isSingle() bool { return len(c.records) == 1 }

// replay runs until Shutdown. If nothing is to be sent it only deletes records that are too old.
func (l *Lane) replay() {
	defer close(l.replayed)
	opt := l.group.opt
	r := &replayer{
		Lane:    l,
		pace:    pace{requests: opt.ReplayPerSecond, bytes: opt.ReplayBytesPerSecond},
		results: make(chan result, opt.Concurrency),
	}
	for !l.stopping() {
		r.step()
	}
	r.awaitRequests()
}

// step makes one step: it expires, sends or waits.
func (r *replayer) step() {
	r.read()
	if r.expire() {
		return
	}
	sends := r.group.opt.Exports && r.group.opt.Replay
	empty := r.window.empty()
	r.onlyOtherKey.Store(r.otherKey > 0 && empty)
	if empty {
		if d := r.readAgainAt.Sub(r.group.opt.Now()); d > 0 {
			r.wait(nil, d)
			return
		}
		if sends {
			r.group.laneDrained()
		}
		r.wait(r.opt.Log.Readable(), 0)
		return
	}
	if !sends || r.inFlight >= r.maxInFlight() || r.inFlight > 0 && r.refusalBreaker.State() != breaker.Closed {
		r.prepare()
		r.wait(nil, 0)
		return
	}
	if d := max(r.group.breaker.Wait(), r.refusalBreaker.Wait(), r.retryAfterLeft(), r.pace.delay(r.group.opt.Now())); d > 0 {
		r.wait(nil, d)
		return
	}
	if r.liveTurn() && !r.liveGraceOver {
		r.liveGraceOver = true
		r.wait(nil, liveGrace)
		return
	}
	r.endOfWait()
	records := r.choose()
	if len(records) == 0 { // all records are out or have a retry time
		r.wait(r.opt.Log.Readable(), r.untilRetry())
		return
	}
	if r.skipOld(records) {
		return
	}
	p, reason := r.allow(true)
	if reason != "" {
		r.putBack(records)
		r.wait(nil, pollProbe)
		return
	}
	r.liveGraceOver = false
	r.send(replayRequest{records: records, permit: p, decoded: r.ahead.find(records)})
}

// endOfWait removes all retry times when the signal stops waiting: the downstream may have been the cause of the refusals.
func (r *replayer) endOfWait() {
	waits := r.refusalBreaker.State() != breaker.Closed
	if r.signalWaited && !waits {
		r.window.clearRetryTimes()
	}
	r.signalWaited = waits
}

// choose returns the records of the next request and marks them as out. A probe has one record.
func (r *replayer) choose() []*pending {
	now := r.group.opt.Now()
	switch {
	case r.window.inOrder:
	case r.refusalBreaker.State() != breaker.Closed:
		return r.window.probe(r.probes.Load()%probeTurns == probeAnother)
	}
	records := r.window.choose(now, r.requestBytes(now))
	if len(records) == 1 {
		r.limitToSize(now, records[0])
	}
	return records
}

// requestBytes returns the largest size of a request of several records. 0: each record goes alone.
func (r *replayer) requestBytes(now time.Time) int {
	if r.group.breaker.State() != breaker.Closed || r.refusalBreaker.State() != breaker.Closed {
		return 0
	}
	bytes := r.group.opt.CoalesceBytes
	if limit := r.sizes.limit(now); limit > 0 {
		bytes = min(bytes, limit)
	}
	return bytes
}

// limitToSize makes a record go in parts if the downstream is known to refuse its size.
func (r *replayer) limitToSize(now time.Time, p *pending) {
	limit := r.sizes.limit(now)
	if limit == 0 || p.parts.chunk > 0 || p.size() < r.sizes.smallestRefused || p.items <= 1 {
		return
	}
	p.parts.chunk = max(1, int(int64(p.items)*int64(limit)/int64(p.size())))
}

// untilRetry returns the time until the first record is retried, or 0 if no record has a retry time.
func (r *replayer) untilRetry() time.Duration {
	at, ok := r.window.nextRetry()
	if !ok {
		return 0
	}
	return max(time.Nanosecond, at.Sub(r.group.opt.Now()))
}

// maxInFlight returns how many requests may be in flight: one in strict order or after the downstream has throttled.
func (r *replayer) maxInFlight() int {
	if r.opt.Strict || r.pace.slowed() {
		return 1
	}
	return r.group.opt.Concurrency
}

// awaitRequests waits for the requests in flight until Shutdown abandons them. The log still has their records.
func (r *replayer) awaitRequests() {
	defer r.decoders.Wait()
	for r.inFlight > 0 && r.abandonedRecords == 0 {
		select {
		case a := <-r.results:
			r.answered(a)
		case <-r.abandoned:
			out := r.window.allOut()
			r.abandonedRecords = len(out)
			r.putBack(out)
		}
	}
}

// wait returns after d, when ready fires, an answer comes, a record expires or is due for a retry, or Shutdown begins. With d =
// 0 it has no time limit.
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
