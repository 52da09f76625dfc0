package tracker

import (
	"slices"

	"github.com/otelcol-custom/otelcol-custom/internal/budget"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/snapshot"
)

// lostSet is who lost their place at one rotation: fingerprints, sorted, or filters.
type lostSet struct {
	members      int
	fingerprints []uint64
	filters      []filter
}

func (s *lostSet) bytes() int {
	n := wordBytes * len(s.fingerprints)
	for i := range s.filters {
		n += filterBytes(s.filters[i].Cap())
	}
	return n
}

func (s *lostSet) has(fp uint64) bool {
	if _, ok := slices.BinarySearch(s.fingerprints, fp); ok {
		return true
	}
	for i := range s.filters {
		if s.filters[i].has(fp) {
			return true
		}
	}
	return false
}

// lost remembers who lost their place, for as many generations as a place lasts: what
// they report then has left as theirs before. The newest set is the first.
type lost struct {
	sets   []lostSet
	keep   int
	budget *budget.Budget
}

// push remembers a set and returns how many are forgotten instead: the oldest, or the
// new ones where the budget has no room.
func (l *lost) push(s lostSet) (forgotten int) {
	if len(l.sets) == l.keep {
		oldest := &l.sets[l.keep-1]
		forgotten = oldest.members
		l.budget.Release(oldest.bytes())
		l.sets = l.sets[:l.keep-1]
	}
	if s.members > 0 && !l.budget.Reserve(s.bytes()) {
		forgotten += s.members
		s = lostSet{}
	}
	if s.members == 0 {
		s = lostSet{}
	}
	l.sets = slices.Insert(l.sets, 0, s)
	return forgotten
}

// HadPlace is LostPlace for one that has just been refused: a place that is not renewed counts as lost.
func (t *Tracker) HadPlace(fp uint64) bool {
	return t.store.lookup(strip(fp)) == older || t.LostPlace(fp)
}

// LostPlace reports whether fp had a place and lost it within the generations that are
// remembered.
func (t *Tracker) LostPlace(fp uint64) bool {
	fp = strip(fp)
	return slices.ContainsFunc(t.lost.sets, func(s lostSet) bool { return s.members > 0 && s.has(fp) })
}

// Remembers reports whether anybody lost their place within these generations.
func (t *Tracker) Remembers() bool {
	return slices.ContainsFunc(t.lost.sets, func(s lostSet) bool { return s.members > 0 })
}

func (l *lost) free() {
	for i := range l.sets {
		l.budget.Release(l.sets[i].bytes())
	}
	l.sets = nil
}

func (l *lost) encode(e *snapshot.Encoder) {
	e.Uint(uint64(len(l.sets)))
	for i := range l.sets {
		s := &l.sets[i]
		e.Uint(uint64(s.members))
		e.Words(s.fingerprints)
		e.Uint(uint64(len(s.filters)))
		for k := range s.filters {
			encodeFilter(e, &s.filters[k])
		}
	}
}

// decodeLost reads what encode wrote. It returns how many there is no room to remember.
func decodeLost(d *snapshot.Decoder, cfg *Config) (l lost, forgotten int) {
	l = lost{keep: cfg.Generations, budget: cfg.Budget}
	for range d.Len(3) {
		s := lostSet{members: int(min(d.Uint(), maxLimit)), fingerprints: d.Words()}
		for range d.Len(3) {
			f, ok := decodeFilter(d)
			if !ok {
				break
			}
			s.filters = append(s.filters, f)
		}
		if !slices.IsSorted(s.fingerprints) || len(l.sets) == l.keep {
			d.Fail()
		}
		if d.Err() != nil {
			l.free()
			return l, 0
		}
		if s.members > 0 && !l.budget.Reserve(s.bytes()) {
			forgotten += s.members
			s = lostSet{}
		}
		l.sets = append(l.sets, s)
	}
	return l, forgotten
}
