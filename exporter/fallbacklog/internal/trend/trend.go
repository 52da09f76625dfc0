// Package trend measures how fast a level rises or falls.
package trend

import "time"

// Trend keeps the levels of a window, sampled at regular intervals. It is not safe for concurrent use.
type Trend struct {
	samples []sample // a ring
	next    int      // index of the next sample; of the oldest one if the ring is full
	full    bool
}

type sample struct {
	at    time.Time
	level float64
}

// New returns a trend over the last samples, two or more.
func New(samples int) *Trend { return &Trend{samples: make([]sample, samples)} }

// Add adds a sample. If the clock was set back the window begins again.
func (t *Trend) Add(at time.Time, level float64) {
	if last, ok := t.newest(); ok && !at.After(last.at) {
		t.next, t.full = 0, false
	}
	t.samples[t.next] = sample{at, level}
	t.next = (t.next + 1) % len(t.samples)
	t.full = t.full || t.next == 0
}

// Restart begins the window again with the newest sample: the earlier samples do not predict the next ones.
func (t *Trend) Restart() {
	if last, ok := t.newest(); ok {
		t.samples[0], t.next, t.full = last, 1, false
	}
}

// Slope returns the change of the level per second, from the oldest to the newest sample of the window. It is negative if the
// level has fallen, and 0 with fewer than two samples.
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

// Level returns the newest level, or 0 if there is none.
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
