package tracker

import (
	"slices"

	"github.com/otelcol-custom/otelcol-custom/internal/budget"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/snapshot"
)

// lostSet is the set of members that lost their place at one rotation, as fingerprints or as filters.
type lostSet struct {
	members      int      // number of members
	fingerprints []uint64 // sorted
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

// lostMembers remembers the members that lost their place, for as many generations as a place lasts. Earlier values of such a
// series left the processor as its own, so they must not be counted again.
type lostMembers struct {
	sets   []lostSet // the newest first
	keep   int       // maximum number of sets
	budget *budget.Budget
}

// push adds a set and returns the number of members that are forgotten instead: those of the oldest set, and those of the
// new one if the budget has no memory for it.
func (l *lostMembers) push(s lostSet) (forgotten int) {
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

// HadPlace is lostPlace for a series that was refused in this generation. A place of an older generation counts as lost,
// because the series could not renew it.
func (t *Tracker) HadPlace(fp uint64) bool {
	return t.store.lookup(StoredBits(fp)) == older || t.lostPlace(fp)
}

// lostPlace reports whether fp had a place and lost it within as many generations as a tracker remembers.
func (t *Tracker) lostPlace(fp uint64) bool {
	fp = StoredBits(fp)
	return slices.ContainsFunc(t.lost.sets, func(s lostSet) bool { return s.members > 0 && s.has(fp) })
}

// Remembers reports whether lostPlace is true for any series.
func (t *Tracker) Remembers() bool {
	return slices.ContainsFunc(t.lost.sets, func(s lostSet) bool { return s.members > 0 })
}

func (l *lostMembers) free() {
	for i := range l.sets {
		l.budget.Release(l.sets[i].bytes())
	}
	l.sets = nil
}

func (l *lostMembers) encode(e *snapshot.Encoder) {
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

// decodeLost reads the output of encode. Forgotten is the number of members for which the budget has no memory.
func decodeLost(d *snapshot.Decoder, options *Options) (l lostMembers, forgotten int) {
	l = lostMembers{keep: options.Generations, budget: options.Budget}
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
