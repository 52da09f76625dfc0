package fold

import (
	"math"
	"slices"
	"time"
)

// origin is what is known of one start of a stream. Replicas without an instance ID share an identity, and each has a
// start of its own.
type origin struct {
	start, time int64 // of its last point
	last        measure
	uncertain   bool // what it grew by since its last point may have left
	// offset and floor are as in stream.
	offset measure
	floor  int64
}

const (
	// maxOthers is how many starts of a stream are known beside that of the last point.
	maxOthers = 3
	// jitter is how far two starts of one process can be apart: some SDKs compute the boot time anew for each export.
	jitter = 5 * time.Second
	// originBytes is the size of an origin without its last value.
	originBytes = 96
)

// Places of an origin, where it is not an index of stream.others.
const (
	ownOrigin     = -1 - iota // that of the last point
	laterOrigin               // unknown, begun no sooner than the last points of all others: a restart
	earlierOrigin             // unknown, begun before that
)

// find returns the place of the origin that p belongs to.
func (s *stream) find(p *Point) int {
	if p.Start == s.start || p.restates() {
		return ownOrigin
	}
	newest := s.time
	for i := range s.others {
		if s.others[i].start == p.Start {
			return i
		}
		newest = max(newest, s.others[i].time)
	}
	if p.Start >= newest {
		return laterOrigin
	}
	if isJitter(p, s.start, s.time, s.last) {
		return ownOrigin
	}
	for i := range s.others {
		if o := &s.others[i]; isJitter(p, o.start, o.time, o.last) {
			return i
		}
	}
	return earlierOrigin
}

// isJitter reports whether p goes on from an origin whose start it nearly has.
func isJitter(p *Point, start, at int64, last measure) bool {
	if start == 0 || p.Start == 0 || p.Time <= at || max(start-p.Start, p.Start-start) > int64(jitter) {
		return false
	}
	_, relation := p.Value.since(last)
	return relation != reset
}

// heard returns the time of the last point of an origin.
func (s *stream) heard(place int) int64 {
	switch {
	case place >= 0:
		return s.others[place].time
	case place == ownOrigin:
		return s.time
	default:
		return math.MinInt64
	}
}

// turnTo makes an origin the stream's own, from which p goes on. It reports false where a new one has no room. The list
// of the others may be in a cut, so it is replaced.
func (s *stream) turnTo(place int, p *Point) bool {
	switch {
	case place == ownOrigin:
		if !p.restates() {
			s.start = p.Start
		}
		return true
	case place >= 0:
		others := slices.Clone(s.others)
		o := others[place]
		others[place] = s.own()
		s.others = others
		s.start, s.time, s.last, s.uncertain = p.Start, o.time, o.last, o.uncertain
		s.offset, s.floor = o.offset, o.floor
		return true
	}
	kept := slices.Clone(s.others)
	if len(kept) == maxOthers {
		oldest := 0
		for i := range kept {
			if kept[i].time < kept[oldest].time {
				oldest = i
			}
		}
		if place == earlierOrigin && kept[oldest].time >= p.Start { // all of them may go on
			return false
		}
		kept = slices.Delete(kept, oldest, oldest+1)
	}
	s.others = append(kept, s.own())
	return true
}

// own is the origin of the stream's last point.
func (s *stream) own() origin {
	return origin{s.start, s.time, s.last, s.uncertain, s.offset, s.floor}
}

// passFromHere lets the stream pass with what each of its origins grows by from its last point on. Each has a start of
// its own afterwards too: its last folded time, and no two the same.
func (s *stream) passFromHere() {
	s.ended, s.admitted, s.offset, s.floor = false, true, s.last, s.time
	s.others = slices.Clone(s.others)
	floors := []int64{s.floor}
	for i := range s.others {
		o := &s.others[i]
		for o.offset, o.floor = o.last, o.time; slices.Contains(floors, o.floor); {
			o.floor--
		}
		floors = append(floors, o.floor)
	}
}

// doubt makes the next points of the other origins baselines.
func (s *stream) doubt() {
	s.others = slices.Clone(s.others)
	for i := range s.others {
		s.others[i].uncertain = true
	}
}

// size is the size of the stream's state in bytes.
func (s *stream) size() int {
	n := stateBytes(Value{s.last})
	for i := range s.others {
		n += originBytes + s.others[i].last.bytes()
		if s.others[i].offset != nil {
			n += s.others[i].offset.bytes()
		}
	}
	return n
}

// begins reports whether p is the first of its stream, or of an earlier start of it.
func (t *Table) begins(p *Point) bool {
	in := t.shard(p.Stream)
	if in.known.Load() == 0 {
		return true
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	s := in.streams[p.Stream]
	return s == nil || s.to.method == addGrowth && s.find(p) == earlierOrigin
}
