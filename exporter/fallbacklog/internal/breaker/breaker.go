// Package breaker decides whether a failing downstream may be tried again.
//
// CLOSED allows all attempts. After FailureThreshold consecutive failures the breaker is OPEN and allows none for OpenInterval.
// The interval doubles after each failed probe, up to MaxOpenInterval. Then the breaker is HALF_OPEN and allows one probe at a
// time. SuccessThreshold consecutive successes close it; one failure opens it again.
package breaker

import (
	"sync"
	"time"
)

// State is the breaker's state. Telemetry shows the numbers.
type State int

// The states.
const (
	Closed State = iota
	HalfOpen
	Open
)

func (s State) String() string {
	return [...]string{"closed", "half_open", "open"}[s]
}

// Options configure a breaker. Every field except OnChange is required.
type Options struct {
	FailureThreshold int           // consecutive failures that open the breaker
	SuccessThreshold int           // consecutive successful probes that close the breaker
	OpenInterval     time.Duration // the first wait
	MaxOpenInterval  time.Duration // the longest wait
	Now              func() time.Time
	// OnChange observes changes of state, in their order. It is called with the breaker locked and must not call it.
	OnChange func(from, to State)
}

// Breaker is safe for concurrent use.
type Breaker struct {
	opt Options

	mu        sync.Mutex
	state     State
	failures  int           // consecutive, while closed
	successes int           // consecutive, while half open
	wait      time.Duration // the current open interval
	until     time.Time     // end of the current open interval
	probing   bool          // a probe is in flight
	epoch     uint64        // counts changes of state: outcomes of earlier epochs are stale
	opened    chan struct{} // closed when the breaker leaves Closed, made anew when it returns
}

// New returns a closed breaker.
func New(opt Options) *Breaker {
	return &Breaker{opt: opt, wait: opt.OpenInterval, opened: make(chan struct{})}
}

// Permit is the right to make one attempt, unless it was not granted. Exactly one of the methods that end a granted permit must
// be called, once.
type Permit struct {
	b     *Breaker
	epoch uint64
	probe bool
}

// Granted reports whether the attempt may be made.
func (p Permit) Granted() bool { return p.b != nil }

// Probe reports whether the attempt decides the state of a breaker that is not closed.
func (p Permit) Probe() bool { return p.probe }

// Allow returns a permit for an attempt. While the breaker is not closed only callers with mayProbe get a permit, one at a
// time, and only after the open interval.
func (b *Breaker) Allow(mayProbe bool) Permit {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state == Closed {
		return Permit{b: b, epoch: b.epoch}
	}
	if !mayProbe || b.probing {
		return Permit{}
	}
	if b.state == Open {
		if b.opt.Now().Before(b.until) {
			return Permit{}
		}
		b.become(HalfOpen)
		b.successes = 0
	}
	b.probing = true
	return Permit{b: b, epoch: b.epoch, probe: true}
}

// Success records that the downstream accepted the data.
func (p Permit) Success() {
	p.end(func(b *Breaker) {
		if b.state == Closed {
			b.failures = 0
			return
		}
		b.successes++
		if b.successes >= b.opt.SuccessThreshold {
			b.close()
		}
	})
}

// Failure records a failure that says something about the downstream.
func (p Permit) Failure() {
	p.end(func(b *Breaker) {
		if b.state == HalfOpen {
			b.open(min(2*b.wait, b.opt.MaxOpenInterval))
			return
		}
		b.fail()
	})
}

// FailProbe records a failure that opens the breaker again if the attempt was a probe. Otherwise it does not count.
func (p Permit) FailProbe() {
	p.end(func(b *Breaker) {
		if b.state == HalfOpen {
			b.open(min(2*b.wait, b.opt.MaxOpenInterval))
		}
	})
}

// Refused records that the downstream refused the data, so it is reachable. A closed breaker forgets the failures before. A
// probe has shown nothing about other data.
func (p Permit) Refused() {
	p.end(func(b *Breaker) {
		if b.state == Closed {
			b.failures = 0
		}
	})
}

// Cancel records that the attempt showed nothing about the downstream.
func (p Permit) Cancel() { p.end(func(*Breaker) {}) }

// end applies an outcome unless the state has changed since the permit was given.
func (p Permit) end(apply func(*Breaker)) {
	p.b.mu.Lock()
	defer p.b.mu.Unlock()
	if p.epoch != p.b.epoch {
		return
	}
	if p.probe {
		p.b.probing = false
	}
	apply(p.b)
}

// Count counts a failure of a closed breaker without an attempt's permit.
func (b *Breaker) Count() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state == Closed {
		b.fail()
	}
}

// Close closes a half-open breaker that has had a success, because no data is left to probe with. In any other state it does
// nothing.
func (b *Breaker) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state == HalfOpen && b.successes > 0 {
		b.close()
	}
}

// State returns the current state. OPEN stays OPEN after its interval until a caller asks to probe.
func (b *Breaker) State() State {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state
}

// Wait returns the rest of the open interval, or 0 if a probe need not wait.
func (b *Breaker) Wait() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state != Open {
		return 0
	}
	return max(0, b.until.Sub(b.opt.Now()))
}

// Opened returns a channel that is closed when the breaker leaves CLOSED, or is already closed if the state is not CLOSED.
func (b *Breaker) Opened() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.opened
}

// fail counts a failure while closed. The caller holds mu.
func (b *Breaker) fail() {
	b.failures++
	if b.failures >= b.opt.FailureThreshold {
		b.open(b.opt.OpenInterval)
	}
}

func (b *Breaker) open(wait time.Duration) {
	b.wait = wait
	b.until = b.opt.Now().Add(wait)
	b.become(Open)
}

func (b *Breaker) close() {
	b.failures = 0
	b.wait = b.opt.OpenInterval
	b.become(Closed)
}

func (b *Breaker) become(s State) {
	from := b.state
	b.state = s
	b.epoch++
	switch {
	case from == s: // opened anew
	case from == Closed:
		close(b.opened)
	case s == Closed:
		b.opened = make(chan struct{})
	}
	b.probing = false
	if b.opt.OnChange != nil && from != s {
		b.opt.OnChange(from, s)
	}
}
