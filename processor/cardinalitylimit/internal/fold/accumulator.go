package fold

import "sync"

// accumulator is one outgoing series. Series, method and origin do not change once it is
// in its table; the rest is guarded by mu.
type accumulator struct {
	id     uint64
	series Series
	method method
	origin int64 // the start of a cumulative series

	mu    sync.Mutex
	bytes int // reserved
	room  int // of them, for one value
	// value is nil where nothing has come since the flush, for methods that start
	// afresh with each, and always for sumLive.
	value measure
	lent  bool // a flush or a cut reads the value: it is written no more but replaced
	// unsent: something has come since the last outgoing point, which is to leave even
	// if no stream contributes any more.
	unsent    bool
	exemplars reservoir // since the flush
	// earliest start and newest time folded since the flush, ns since the epoch.
	earliest, newest int64
	// emitted is the time of the last outgoing point, 0 before the first.
	emitted int64
	seen    int64 // our clock at the last point
	refs    int   // streams that point here
	live    int   // of them, those that contribute now
	pins    int   // staged points
}

// repeats tells whether each flush says again all that the ones before said, from
// the state of the contributing streams.
func (a *accumulator) repeats() bool { return a.method == addGrowth || a.method == sumLive }

func (a *accumulator) pin() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.pins++
}

// unpin lets go of the accumulator, to which something came at our time now.
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
	a.span(p.Start, p.Time)
}

// merge adds v to the value, or makes it the value. The lock is held.
func (a *accumulator) merge(v measure, n *Stats) {
	switch {
	case a.value == nil:
		a.value = v.clone()
		return
	case a.lent:
		a.value, a.lent = a.value.clone(), false
	}
	a.value.add(v, n)
}

// grow adds what a stream has grown by. The lock is held.
func (a *accumulator) grow(d measure, n *Stats) {
	a.unsent = true
	a.merge(d, n)
}

// baseline gives an accumulator without a value the layout of v and nothing else:
// the series begins at zero. The lock is held.
func (a *accumulator) baseline(v measure) {
	if a.value == nil {
		a.value, _ = v.since(v)
	}
}

// span widens the interval folded since the flush. The lock is held.
func (a *accumulator) span(start, time int64) {
	if start == 0 || start > time { // unknown
		start = time
	}
	if a.newest == 0 {
		a.earliest, a.newest = start, time
		return
	}
	a.earliest, a.newest = min(a.earliest, start), max(a.newest, time)
}

// replace holds one of the values of a gauge since the flush. The lock is held.
func (a *accumulator) replace(v measure, time int64) {
	switch {
	case a.value == nil,
		a.method == replaceLast && time >= a.newest,
		a.method == replaceMin && v.(*number).less(a.value.(*number)),
		a.method == replaceMax && a.value.(*number).less(v.(*number)):
		a.value = v.clone()
	}
	a.span(time, time)
}

// interval is that of the next outgoing point at our time now. Those of a series
// touch: the start is the time before. A clock ahead of ours does not take the
// series along. The lock is held.
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
