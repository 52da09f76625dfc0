// Package tracker remembers which series have a place under a limit.
//
// Time is cut into generations. A series seen in the current generation or one of
// the remembered ones before it keeps its place, and a sighting promotes it into
// the current one; a stranger enters only while fewer than limit series have a
// place. A rotation forgets who has not been seen for all remembered generations,
// so there is no moment at which everybody races for the places again.
//
//	generation  |    3    |    4    |    5    |
//	seen        |  a b    |  b      |         |
//	in place    |  a b    |  a b    |  b      |
//
// Members are exact fingerprints up to a configured number, and Bloom filters
// above it: a Bloom filter alone lets in a share of what is offered, which for a
// small limit is many times the limit.
package tracker

import (
	"sync/atomic"

	"github.com/otelcol-custom/otelcol-custom/internal/budget"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/snapshot"
)

// Config is what the trackers of a limit have in common.
type Config struct {
	ExactUpTo         int     // members kept as fingerprints; above, Bloom filters
	FalsePositiveRate float64 // of all generations of a Bloom tracker together
	Generations       int     // remembered, the current one included; 2 to MaxGenerations
	Budget            *budget.Budget
}

// MaxGenerations is what the fingerprints' generation tag can tell apart, less
// one: during a rotation one more than the remembered ones exists.
const MaxGenerations = tagMask

// Verdict is the answer to a check.
type Verdict uint8

// Verdicts.
const (
	Full  Verdict = iota // a stranger, and there is no place
	Room                 // a stranger who may enter
	Renew                // has a place, not yet seen in this generation
	Known                // has a place, seen in this generation: nothing to commit
)

// Passes reports whether the series has or may have a place.
func (v Verdict) Passes() bool { return v != Full }

// Holds reports whether the series already has a place.
func (v Verdict) Holds() bool { return v >= Renew }

type state uint8

const (
	absent state = iota
	older
	current
)

// store is a set of fingerprints with generations. Budget for its size is its
// own concern.
type store interface {
	lookup(fp uint64) state
	add(fp uint64, known bool) // promotes fp, or enters it
	room() (fits, moved bool)  // makes sure that one more fits; moved: it takes another view
	rotate() lostSet           // begins a generation; returns who lost their place
	fresh() int                // members seen in the current generation
	size() int                 // members over all generations, each once
	view() view                // but for the epoch
	free()                     // gives the memory back to the budget
	image() func(e *snapshot.Encoder)
}

// Tracker is the series of one key. Not safe for concurrent use, but for Known: the
// caller's lock spans Check and Commit, which makes a limit exact for any number of
// goroutines.
type Tracker struct {
	seen  atomic.Pointer[view]
	limit int
	epoch int64
	store store
	lost  lost
	owed  int // forgotten of lost, and not yet told
	// lowered: more members have a place than the limit has.
	lowered bool
	cfg     *Config
}

// New returns an empty tracker in generation epoch, or false where the budget has
// nothing left.
func New(limit int, epoch int64, cfg *Config) (*Tracker, bool) {
	f, ok := newFingerprints(cfg.Generations, cfg.Budget)
	if !ok {
		return nil, false
	}
	t := &Tracker{limit: limit, epoch: epoch, store: f, cfg: cfg, lost: lost{keep: cfg.Generations, budget: cfg.Budget}}
	t.publish()
	return t, true
}

// publish lets Known see the store as it is now.
func (t *Tracker) publish() {
	v := t.store.view()
	v.epoch = t.epoch
	t.seen.Store(&v)
}

// Known reports whether fp has a place and has been seen in generation epoch, or a
// later one where the tracker is there already. Then there is nothing to commit, and
// fp keeps its place for a generation at least, whatever others do: the answer needs
// no lock. False says nothing; Check tells. Safe for concurrent use with everything.
func (t *Tracker) Known(fp uint64, epoch int64) bool {
	v := t.seen.Load()
	return v.epoch >= epoch && v.knows(fp)
}

// Check tells what would become of fp. It changes no membership.
func (t *Tracker) Check(fp uint64) Verdict {
	switch t.store.lookup(fp) {
	case current:
		return Known
	case older:
		// Where the limit has been lowered, who reports first in a generation stays.
		if t.lowered && t.store.fresh() >= t.limit {
			return Full
		}
		return Renew
	}
	if t.store.size() >= t.limit {
		return Full
	}
	t.outgrow()
	if !t.room() {
		return Full
	}
	return Room
}

// CheckGranted is Check for a place that others decide on, whatever the limit. A stranger may enter if memory is left.
func (t *Tracker) CheckGranted(fp uint64) Verdict {
	switch t.store.lookup(fp) {
	case current:
		return Known
	case older:
		return Renew
	}
	t.outgrow()
	if !t.room() {
		return Full
	}
	return Room
}

// Members returns who has a place, or nil where they cannot be named: in Bloom filters.
func (t *Tracker) Members() []uint64 {
	f, exact := t.store.(*fingerprints)
	if !exact {
		return nil
	}
	members := make([]uint64, 0, f.live)
	for _, slot := range f.slots {
		if slot != 0 {
			members = append(members, slot&^tagMask)
		}
	}
	return members
}

// Strip returns what of a fingerprint tells its series from others: a tracker keeps no more.
func Strip(fp uint64) uint64 { return strip(fp) }

func (t *Tracker) room() bool {
	fits, moved := t.store.room()
	if moved {
		t.publish()
	}
	return fits
}

// Commit enters or promotes fp after a check that passed. Several strangers may
// have been checked before the first is committed: the room is made sure of again. So
// may one fp have been, whose label a point names twice: it counts once.
func (t *Tracker) Commit(fp uint64, v Verdict) {
	if v != Renew && v != Room || t.store.lookup(fp) == current {
		return
	}
	if v == Renew || t.room() {
		t.store.add(fp, v == Renew)
	}
}

// outgrow turns fingerprints into Bloom filters when they have become too many.
// Where the budget has no room for the filters the fingerprints stay.
func (t *Tracker) outgrow() {
	f, exact := t.store.(*fingerprints)
	if !exact || f.live < t.cfg.ExactUpTo {
		return
	}
	b, ok := newBlooms(t.limit, t.cfg.Generations, t.cfg.FalsePositiveRate, t.cfg.Budget)
	if !ok {
		return
	}
	for age := t.cfg.Generations - 1; age >= 0; age-- { // in the order that they were seen
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

// Advance rotates up to generation epoch and returns how many lost their place so long
// ago that they are no longer remembered, see LostPlace.
func (t *Tracker) Advance(epoch int64) (forgotten int) {
	forgotten, t.owed = t.owed, 0
	if epoch <= t.epoch {
		return forgotten
	}
	// Rotations without members change nothing but who is remembered.
	for range min(epoch-t.epoch, 2*int64(t.cfg.Generations)) {
		forgotten += t.lost.push(t.store.rotate())
	}
	t.lowered = t.lowered && t.store.size() > t.limit
	t.epoch = epoch
	t.publish()
	return forgotten
}

// Size is the number of series that have a place.
func (t *Tracker) Size() int { return t.store.size() }

// Limit is the number of places.
func (t *Tracker) Limit() int { return t.limit }

// SetLimit changes the number of places. If it falls below the number of members, no member loses
// its place before the next generation.
func (t *Tracker) SetLimit(limit int) {
	t.limit = limit
	t.lowered = t.store.size() > limit
	if b, ok := t.store.(*blooms); ok {
		b.resize(limit)
		t.publish()
	}
}

// Free gives the memory back to the budget; the tracker must not be used again.
func (t *Tracker) Free() {
	t.store.free()
	t.lost.free()
}
