package fold

import "sync"

// accumulator is the state of one outgoing series. The fields series, method and origin do not change after it was added to its
// table. mu guards the other fields.
type accumulator struct {
	id     uint64
	series Series
	method method
	origin int64 // start of a cumulative series, ns since the epoch

	mu        sync.Mutex
	bytes     int // reserved
	valueRoom int // part of bytes that is for one value
	// value is nil before the first point, or before the first point since the flush for methods that start afresh with each
	// flush. It is always nil for sumLive.
	value  measure
	shared bool // a flush or a cut reads the value: it is not written any more but replaced by a copy
	// unsent is true if a point came since the last outgoing point. Then the series leaves even if no stream contributes any
	// more.
	unsent    bool
	exemplars reservoir // since the flush
	// earliest start and newest time folded since the flush, ns since the epoch.
	earliest, newest int64
	// emitted is the time of the last outgoing point, 0 before the first.
	emitted int64
	seen    int64 // time of the last point by our clock
	refs    int   // streams that belong to the accumulator
	live    int   // streams that contribute now
	pins    int   // staged points
}

// repeats reports whether each flush sends the total of all flushes before, computed from the state of the contributing
// streams.
func (a *accumulator) repeats() bool { return a.method == addGrowth || a.method == sumLive }

func (a *accumulator) pin() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.pins++
}

// unpin ends a pin. Now is our time if a point was folded, otherwise 0.
func (a *accumulator) unpin(now int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.pins--
	a.seen = max(a.seen, now)
}

// count adds to the numbers of streams.
func (a *accumulator) count(refs, live int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.refs += refs
	a.live += live
}

// observe adds a point that needs no state of its stream.
func (a *accumulator) observe(p *Point, n *Stats) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.method != addDelta {
		a.replace(p.Value.measure, p.Time)
		return
	}
	a.merge(p.Value.measure, n)
	a.widenInterval(p.Start, p.Time)
}

// merge adds v to the value, or makes a copy of v the value. The caller holds the lock.
func (a *accumulator) merge(v measure, n *Stats) {
	switch {
	case a.value == nil:
		a.value = v.clone()
		return
	case a.shared:
		a.value, a.shared = a.value.clone(), false
	}
	a.value.add(v, n)
}

// grow adds the growth of a stream. The caller holds the lock.
func (a *accumulator) grow(d measure, n *Stats) {
	a.unsent = true
	a.merge(d, n)
}

// baseline gives an accumulator without a value the layout of v, with zero counts. The caller holds the lock.
func (a *accumulator) baseline(v measure) {
	if a.value == nil {
		a.value, _ = v.since(v)
	}
}

// widenInterval widens the interval folded since the flush. The caller holds the lock.
func (a *accumulator) widenInterval(start, time int64) {
	if start == 0 || start > time { // unknown
		start = time
	}
	if a.newest == 0 {
		a.earliest, a.newest = start, time
		return
	}
	a.earliest, a.newest = min(a.earliest, start), max(a.newest, time)
}

// replace keeps one of the values of a gauge since the flush, as the method selects. The caller holds the lock.
func (a *accumulator) replace(v measure, time int64) {
	switch {
	case a.value == nil,
		a.method == replaceLast && time >= a.newest,
		a.method == replaceMin && v.(*number).less(a.value.(*number)),
		a.method == replaceMax && a.value.(*number).less(v.(*number)):
		a.value = v.clone()
	}
	a.widenInterval(time, time)
}

// interval returns the interval of the next outgoing point. Now is our time. The intervals of a series touch: each starts at
// the time of the point before. A time later than now, from a sender whose clock is ahead, is replaced by now. The caller holds
// the lock.
func (a *accumulator) interval(now int64) (start, time int64) {
	switch a.method {
	case addDelta:
		time = max(min(a.newest, now), a.emitted+1)
		if start = a.emitted; start == 0 {
			start = min(a.earliest, time-1)
		}
	case addGrowth, sumLive:
		time = max(now, a.emitted+1, a.origin+1)
		start = a.origin
	default:
		time = max(min(a.newest, now), a.emitted+1)
	}
	return start, time
}
