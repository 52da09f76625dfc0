// Package breaker decides whether a downstream that has been failing is to be tried again.
//
// CLOSED lets everything through. After FailureThreshold consecutive failures it is OPEN and lets nothing through for
// OpenInterval, twice as long after every probe that fails, MaxOpenInterval at most. Then it is HALF_OPEN and lets one
// probe through at a time; SuccessThreshold consecutive successes close it, one failure opens it again.
package breaker

import (
	"sync"
	"time"
)

// State is the breaker's state. The numbers are what telemetry shows.
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

// Settings of a breaker. Every field is required but OnChange.
type Settings struct {
	FailureThreshold int           // consecutive failures that open it
	SuccessThreshold int           // consecutive successful probes that close it
	OpenInterval     time.Duration // the first wait
	MaxOpenInterval  time.Duration // the longest wait
	Now              func() time.Time
	// OnChange observes changes of state in their order. It is called with the breaker locked and must not call it.
	OnChange func(from, to State)
}

// Breaker is safe for concurrent use.
type Breaker struct {
	set Settings

	mu        sync.Mutex
	state     State
	failures  int           // consecutive, while closed
	successes int           // consecutive, while half open
	wait      time.Duration // the current open interval
	until     time.Time     // end of the current open interval
	probing   bool          // a probe is out
	epoch     uint64        // counts changes of state: outcomes of earlier epochs are stale
	opened    chan struct{} // closed while the state is not Closed
}

// New returns a closed breaker.
func New(set Settings) *Breaker {
	return &Breaker{set: set, wait: set.OpenInterval, opened: make(chan struct{})}
}

// Permit is the right to make one attempt, or none where it was not granted. Of one that was, exactly one of the methods
// that end it must be called, once.
type Permit struct {
	b     *Breaker
	epoch uint64
	probe bool
}

// Granted reports whether the attempt may be made.
func (p Permit) Granted() bool { return p.b != nil }

// Probe reports whether the attempt decides on the state of a breaker that is not closed.
func (p Permit) Probe() bool { return p.probe }

// Allow asks to make an attempt. While the breaker is not closed only callers with mayProbe get a permit, one at a
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
		if b.set.Now().Before(b.until) {
			return Permit{}
		}
		b.become(HalfOpen)
		b.successes = 0
	}
	b.probing = true
	return Permit{b: b, epoch: b.epoch, probe: true}
}

// Success says that the downstream took the data.
func (p Permit) Success() {
	p.end(func(b *Breaker) {
		if b.state == Closed {
			b.failures = 0
			return
		}
		b.successes++
		if b.successes >= b.set.SuccessThreshold {
			b.close()
		}
	})
}

// Failure says that the attempt failed in a way that says something about the downstream.
func (p Permit) Failure() {
	p.end(func(b *Breaker) {
		if b.state == HalfOpen {
			b.open(min(2*b.wait, b.set.MaxOpenInterval))
			return
		}
		b.fail()
	})
}

// FailProbe says that the attempt failed in a way that opens the breaker anew where it was a probe, and does not count
// where it was not.
func (p Permit) FailProbe() {
	p.end(func(b *Breaker) {
		if b.state == HalfOpen {
			b.open(min(2*b.wait, b.set.MaxOpenInterval))
		}
	})
}

// Refused says that the downstream refused the data, so it is there. While closed the failures before count no longer; a
// probe has shown nothing about other data.
func (p Permit) Refused() {
	p.end(func(b *Breaker) {
		if b.state == Closed {
			b.failures = 0
		}
	})
}

// Cancel says that the attempt showed nothing about the downstream.
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

// Close closes a half-open breaker that has had a success: there is nothing left to probe with. It does nothing in
// any other state.
func (b *Breaker) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state == HalfOpen && b.successes > 0 {
		b.close()
	}
}

// State returns the current state. OPEN stays OPEN after its interval until somebody asks to probe.
func (b *Breaker) State() State {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state
}

// Wait returns how long a probe has to wait; 0 when it need not, for the interval at least.
func (b *Breaker) Wait() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state != Open {
		return 0
	}
	return max(0, b.until.Sub(b.set.Now()))
}

// Opened returns a channel that is closed when the breaker leaves CLOSED, or is not CLOSED now.
func (b *Breaker) Opened() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.opened
}

// fail counts a failure while closed. The caller holds mu.
func (b *Breaker) fail() {
	b.failures++
	if b.failures >= b.set.FailureThreshold {
		b.open(b.set.OpenInterval)
	}
}

func (b *Breaker) open(wait time.Duration) {
	b.wait = wait
	b.until = b.set.Now().Add(wait)
	b.become(Open)
}

func (b *Breaker) close() {
	b.failures = 0
	b.wait = b.set.OpenInterval
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
	if b.set.OnChange != nil && from != s {
		b.set.OnChange(from, s)
	}
}
