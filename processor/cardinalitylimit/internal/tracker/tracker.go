// Package tracker remembers which series have a place under a limit.
//
// Time is divided into generations. A member is a series that was seen in the current generation or in one of the
// remembered generations before it. A member keeps its place, and a sighting promotes it into the current generation. A
// stranger, which is a series without a place, enters only while there are fewer members than the limit. A rotation begins
// a generation and removes the members that no remembered generation has seen. So there is no moment at which all series
// compete for the places again.
//
//	generation  |    3    |    4    |    5    |
//	seen        |  a b    |  b      |         |
//	members     |  a b    |  a b    |  b      |
//
// A tracker stores up to a configured number of members as exact fingerprints, and more members in Bloom filters. A Bloom
// filter alone admits a fixed share of all strangers. For a small limit that share can be many times the limit.
package tracker

import (
	"math"
	"sync/atomic"

	"github.com/otelcol-custom/otelcol-custom/internal/budget"
)

// Options are common to all trackers of a limit.
type Options struct {
	ExactUpTo         int     // members stored as fingerprints; with more members a tracker uses Bloom filters
	FalsePositiveRate float64 // of all generations of a Bloom tracker together
	Generations       int     // remembered, including the current one; 2 to MaxGenerations
	Budget            *budget.Budget
}

// MaxGenerations is the number of generations that the tag of a fingerprint distinguishes, minus one. During a rotation there
// is one more generation than the remembered ones.
const MaxGenerations = tagMask

// Verdict is the result of a check.
type Verdict uint8

// Verdicts.
const (
	Full  Verdict = iota // a stranger, and no place is free
	Room                 // a stranger that may enter
	Renew                // a member, not yet seen in this generation
	Known                // a member, seen in this generation: Commit has nothing to do
)

// Passes reports whether the series has a place or may get one.
func (v Verdict) Passes() bool { return v != Full }

// IsMember reports whether the series is a member.
func (v Verdict) IsMember() bool { return v >= Renew }

// state is when a fingerprint was last seen.
type state uint8

const (
	absent  state = iota // in no remembered generation
	older                // in a remembered generation before the current one
	current              // in the current generation
)

// members are the methods of a store that a decision uses.
type members interface {
	lookup(fp uint64) state
	// add promotes a member to the current generation, or enters a stranger.
	add(fp uint64, member bool)
	// makeRoom reports whether one more member fits, and grows the store if necessary. Moved: the store has another view now.
	makeRoom() (fits, moved bool)
	// currentSize is the number of members seen in the current generation.
	currentSize() int
	// size is the number of members of all generations. Each member counts once.
	size() int
}

// store is a set of fingerprints with generations. It reserves its memory from the budget. A decision uses
// only the methods of members.
type store interface {
	members
	// rotate begins a generation and returns the members that lost their place.
	rotate() lostSet
	// view returns a view without its generation.
	view() view
	// free returns the memory to the budget.
	free()
}

// Tracker remembers the members of one key. Known is safe for concurrent use with all other methods. All other methods need
// the caller's lock. The caller keeps the lock from Check to Commit, so a limit is exact for any number of goroutines.
type Tracker struct {
	seen       atomic.Pointer[view] // view of the store, for Known
	limit      int                  // number of places
	generation int64                // number of the current generation
	store      store
	lost       lostMembers
	// unreported is the number of lost members that were forgotten and that Advance has not returned yet.
	unreported int
	// lowered: SetLimit has set the limit below the number of members.
	lowered bool
	options *Options
}

// New returns an empty tracker in a generation. It returns false if the budget has no memory left.
func New(limit int, generation int64, options *Options) (*Tracker, bool) {
	f, ok := newFingerprints(options.Generations, options.Budget)
	if !ok {
		return nil, false
	}
	t := &Tracker{limit: limit, generation: generation, store: f, options: options, lost: lostMembers{keep: options.Generations, budget: options.Budget}}
	t.publish()
	return t, true
}

// publish makes the present state of the store visible to Known.
func (t *Tracker) publish() {
	v := t.store.view()
	v.generation = t.generation
	t.seen.Store(&v)
}

// Known reports whether fp is a member that was seen in the given generation, or in the tracker's generation if that is later.
// For such a member Commit has nothing to do, and it keeps its place for at least one generation. So the caller needs no
// lock. If Known returns false, fp may be a member nevertheless, and the caller uses Check. Known is safe for concurrent use
// with all other methods.
func (t *Tracker) Known(fp uint64, generation int64) bool {
	v := t.seen.Load()
	return v.generation >= generation && v.knows(fp)
}

// Check returns the verdict on fp. It changes no membership.
func (t *Tracker) Check(fp uint64) Verdict {
	switch t.store.lookup(fp) {
	case current:
		return Known
	case older:
		// After the limit was lowered, the first members to report in a generation stay.
		if t.lowered && t.store.currentSize() >= t.limit {
			return Full
		}
		return Renew
	}
	if t.store.size() >= t.limit {
		return Full
	}
	t.outgrow()
	if !t.makeRoom() {
		return Full
	}
	return Room
}

// CheckGranted is Check without the limit, for a place on which the cluster decides. A stranger may enter if memory is left.
func (t *Tracker) CheckGranted(fp uint64) Verdict {
	switch t.store.lookup(fp) {
	case current:
		return Known
	case older:
		return Renew
	}
	t.outgrow()
	if !t.makeRoom() {
		return Full
	}
	return Room
}

// Members returns the fingerprints of all members, as StoredBits returns them. It returns nil if the members are in Bloom
// filters, which cannot list them.
func (t *Tracker) Members() []uint64 {
	f, exact := t.store.(*fingerprints)
	if !exact {
		return nil
	}
	members := make([]uint64, 0, f.members)
	for _, slot := range f.slots {
		if slot != 0 {
			members = append(members, slot&^tagMask)
		}
	}
	return members
}

func (t *Tracker) makeRoom() bool {
	fits, moved := t.store.makeRoom()
	if moved {
		t.publish()
	}
	return fits
}

// Commit enters or promotes fp after Check returned v. Several strangers may be checked before the first commit, so Commit
// makes room again. A point may have two attributes with the same name, so one fp may be committed twice. It counts once.
func (t *Tracker) Commit(fp uint64, v Verdict) {
	if v != Renew && v != Room || t.store.lookup(fp) == current {
		return
	}
	if v == Renew || t.makeRoom() {
		t.store.add(fp, v == Renew)
	}
}

// outgrow replaces fingerprints by Bloom filters if there are ExactUpTo members. If the budget has no memory for the filters,
// the fingerprints stay.
func (t *Tracker) outgrow() {
	f, exact := t.store.(*fingerprints)
	if !exact || f.members < t.options.ExactUpTo {
		return
	}
	b, ok := newBlooms(t.limit, t.options.Generations, t.options.FalsePositiveRate, t.options.Budget)
	if !ok {
		return
	}
	for age := t.options.Generations - 1; age >= 0; age-- { // the oldest generation first
		for _, slot := range f.slots {
			if slot != 0 && f.age(slot) == age {
				b.addTo(age, slot&^tagMask)
			}
		}
	}
	f.free()
	t.store = b
	t.publish()
}

// Advance rotates up to a generation. It returns how many members had lost their place and are no longer remembered by
// lostPlace since the last call.
func (t *Tracker) Advance(generation int64) (forgotten int) {
	forgotten, t.unreported = t.unreported, 0
	if generation <= t.generation {
		return forgotten
	}
	// After Generations rotations no member is left, and after as many more no lost member. Further rotations change nothing.
	for range min(generation-t.generation, 2*int64(t.options.Generations)) {
		forgotten += t.lost.push(t.store.rotate())
	}
	t.lowered = t.lowered && t.store.size() > t.limit
	t.generation = generation
	t.publish()
	return forgotten
}

// Size is the number of members.
func (t *Tracker) Size() int { return t.store.size() }

// Limit is the number of places.
func (t *Tracker) Limit() int { return t.limit }

// SetLimit changes the number of places. If the limit falls below the number of members, no member loses its place before
// the next generation.
func (t *Tracker) SetLimit(limit int) {
	t.limit = limit
	t.lowered = t.store.size() > limit
	if b, ok := t.store.(*blooms); ok {
		b.resize(limit)
		t.publish()
	}
}

// Free returns the memory to the budget. It drops the store, because a cursor may still refer to the tracker. After Free only Known may
// be called. It returns false.
func (t *Tracker) Free() {
	t.store.free()
	t.lost.free()
	t.store = nil
	t.seen.Store(&freed)
}

// freed is the view of a tracker without a store.
var freed = view{generation: math.MinInt64}
