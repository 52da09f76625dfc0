// Package trend says how fast a level rises or falls, and when it will be somewhere.
package trend

import "time"

// Trend keeps the level at regular moments over a window. It is not safe for concurrent use.
type Trend struct {
	samples []sample // a ring
	next    int      // where the next one goes; the oldest one when the ring is full
	full    bool
}

type sample struct {
	at    time.Time
	level float64
}

// New returns a trend over the last so many samples, two or more.
func New(samples int) *Trend { return &Trend{samples: make([]sample, samples)} }

// Add notes the level. A clock that was set back begins the window anew.
func (t *Trend) Add(at time.Time, level float64) {
	if last, ok := t.newest(); ok && !at.After(last.at) {
		t.next, t.full = 0, false
	}
	t.samples[t.next] = sample{at, level}
	t.next = (t.next + 1) % len(t.samples)
	t.full = t.full || t.next == 0
}

// Begin begins the window anew with the newest sample: what was before is no sign of what comes.
func (t *Trend) Begin() {
	if last, ok := t.newest(); ok {
		t.samples[0], t.next, t.full = last, 1, false
	}
}

// Slope is by how much the level has risen a second, from the oldest to the newest sample of the window; negative where
// it has fallen, and 0 as long as there is one sample only.
func (t *Trend) Slope() float64 {
	newest, ok := t.newest()
	if !ok {
		return 0
	}
	oldest := t.samples[0]
	if t.full {
		oldest = t.samples[t.next]
	}
	elapsed := newest.at.Sub(oldest.at).Seconds()
	if elapsed <= 0 {
		return 0
	}
	return (newest.level - oldest.level) / elapsed
}

// Level is the newest level, 0 when there is none.
func (t *Trend) Level() float64 {
	s, _ := t.newest()
	return s.level
}

func (t *Trend) newest() (sample, bool) {
	if t.next == 0 && !t.full {
		return sample{}, false
	}
	return t.samples[(t.next+len(t.samples)-1)%len(t.samples)], true
}
