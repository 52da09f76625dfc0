package fold

// accumulator is one outgoing series. Guarded by the lock of its Table.
type accumulator struct {
	series Series
	method method
	// value is nil where nothing has come since the flush, for methods that start
	// afresh with each.
	value measure
	// earliest start and newest time folded since the flush, ns since the epoch.
	earliest, newest int64
	// emitted is the time of the last outgoing point, 0 before the first.
	emitted int64
	// origin is the start of a cumulative series: what streams begun later grow to
	// is ours in full.
	origin int64
	// horizon: streams begun until then may have been forgotten or refused, so
	// their first value is a baseline only.
	horizon int64
	seen    int64 // our clock at the last point
	refs    int   // streams that point here
	live    int   // of them, those that contribute now
	pins    int   // staged points
	bytes   int   // reserved
}

// stream is the state of a contributor of a cumulative accumulator.
type stream struct {
	to          *accumulator
	start, time int64 // of its last point
	seen        int64 // our clock at its last point
	last        measure
	ended       bool // by a stale point
	// After the stream was admitted again: downstream sees what came since.
	admitted bool
	offset   measure // nil: nothing to take off
	floor    int64   // its earliest start from then on
	bytes    int
}

func (s *stream) contributes() bool { return !s.ended && !s.admitted }

// streamBytes is what a stream takes beside its measures, its share of the map
// included.
const streamBytes = 200

// merge adds v to the value, or makes it the value.
func (a *accumulator) merge(v measure, n *Stats) {
	if a.value == nil {
		a.value = v.clone()
		return
	}
	a.value.add(v, n)
}

// span widens the interval folded since the flush.
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

// replace holds one of the values of a gauge since the flush.
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
// series along.
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
