package flush

import "time"

// IntervalClock ends an interval once per Interval. Its times have no reading of the monotonic clock, because with one the flusher
// could not detect that the wall clock was set back.
type IntervalClock struct {
	Interval time.Duration
	Align    bool // end intervals at multiples of Interval since the zero time, in UTC
}

// Now returns the time of the wall clock.
func (IntervalClock) Now() time.Time { return time.Now().Round(0) }

// Next waits for the end of the present interval and returns it.
func (c IntervalClock) Next(stopped <-chan struct{}) (time.Time, bool) {
	wait := c.Interval
	if c.Align {
		now := time.Now()
		wait = now.Truncate(c.Interval).Add(c.Interval).Sub(now)
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case now := <-timer.C:
		return now.Round(0), true
	case <-stopped:
		return time.Time{}, false
	}
}
