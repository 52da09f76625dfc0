package flush

import "time"

// IntervalClock flushes once an interval, on its multiples (of the zero time, in
// UTC) or from its first call on.
type IntervalClock struct {
	Interval time.Duration
	Align    bool
}

// Now is the wall clock.
func (IntervalClock) Now() time.Time { return time.Now() }

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
		return now, true
	case <-stopped:
		return time.Time{}, false
	}
}
