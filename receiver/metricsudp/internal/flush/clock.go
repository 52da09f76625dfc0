package flush

import "time"

// IntervalClock flushes once an interval, on its multiples (of the zero time, in
// UTC) or from its first call on. Its times have no reading of the monotonic clock, by
// which one could not tell that the wall clock was set back.
type IntervalClock struct {
	Interval time.Duration
	Align    bool
}

// Now is the wall clock.
func (IntervalClock) Now() time.Time { return time.Now().Round(0) }

// Next waits for the end of the present interval.
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
