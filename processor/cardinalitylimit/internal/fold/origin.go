package fold

import (
	"math"
	"slices"
	"time"
)

// origin is the state of one start of a stream. Replicas without an instance ID share an identity, and each has a start of its
// own.
type origin struct {
	start, time int64 // of the last point
	last        measure
	uncertain   bool // the growth since the last point may have been sent
	// offset and floor are those of stream.
	offset measure
	floor  int64
}

const (
	// maxOthers is the maximum number of remembered starts of a stream, in addition to that of the last point.
	maxOthers = 3
	// jitter is the maximum difference between two starts of one process. Some SDKs compute the boot time anew for each export.
	jitter = 5 * time.Second
	// originBytes is the size of an origin without its last value.
	originBytes = 96
)

// The index of an origin is that in stream.others or one of these constants.
const (
	ownOrigin     = -1 - iota // the origin of the last point
	laterOrigin               // a new origin that began no sooner than the last points of all others: a restart
	earlierOrigin             // a new origin that began before that
)

// findOrigin returns the index of the origin that p belongs to.
func (s *stream) findOrigin(p *Point) int {
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

// isJitter reports whether p continues from an origin with nearly the same start.
func isJitter(p *Point, start, at int64, last measure) bool {
	if start == 0 || p.Start == 0 || p.Time <= at || max(start-p.Start, p.Start-start) > int64(jitter) {
		return false
	}
	_, relation := p.Value.since(last)
	return relation != reset
}

// lastTime returns the time of the last point of an origin.
func (s *stream) lastTime(index int) int64 {
	switch {
	case index >= 0:
		return s.others[index].time
	case index == ownOrigin:
		return s.time
	default:
		return math.MinInt64
	}
}

// switchTo makes an origin the stream's own, so that p continues from it. It returns false if a new origin has no room. A cut
// may share the list of others, so switchTo replaces it.
func (s *stream) switchTo(index int, p *Point) bool {
	switch {
	case index == ownOrigin:
		if !p.restates() {
			s.start = p.Start
		}
		return true
	case index >= 0:
		others := slices.Clone(s.others)
		o := others[index]
		others[index] = s.currentOrigin()
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
		if index == earlierOrigin && kept[oldest].time >= p.Start { // all of them may continue
			return false
		}
		kept = slices.Delete(kept, oldest, oldest+1)
	}
	s.others = append(kept, s.currentOrigin())
	return true
}

// currentOrigin returns the origin of the stream's last point.
func (s *stream) currentOrigin() origin {
	return origin{s.start, s.time, s.last, s.uncertain, s.offset, s.floor}
}

// beginPassing lets the stream pass with the growth of each of its origins since its last point. Each origin gets a start of
// its own, its last folded time. No two of them are equal.
func (s *stream) beginPassing() {
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

// markOthersUncertain makes the next points of the other origins baselines.
func (s *stream) markOthersUncertain() {
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

// begins reports whether p is the first point of the stream, or of an earlier start of it. The stream is nil before its first
// point.
func (s *stream) begins(p *Point) bool {
	return s == nil || s.to.method == addGrowth && s.findOrigin(p) == earlierOrigin
}
