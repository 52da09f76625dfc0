package cluster

import (
	"slices"
	"strconv"
	"sync"
	"time"
)

type keyID struct {
	limit int
	key   uint64
}

// key is what this gateway knows of a key's places in the store.
type key struct {
	keyID
	base string // begins the names in the store, hash tag included

	mu   sync.Mutex // guards everything below
	used time.Time
	terms
	// known is the state that the last reply was about, at the time of answered.
	known    version
	answered time.Time // zero: never
	members  int
	// fetched are the members, sorted, as they were at fetchedAt.
	fetched   []uint64
	fetchedAt time.Time
	fetching  bool
	avoid     time.Time // until then the store is not asked: it has just failed
	// alone are the series that entered while the store was away, and that it has not decided on yet. False: no point
	// has used the place yet.
	alone map[uint64]bool
	// lost are the series that the store refused later, with the time of the refusal.
	lost map[uint64]time.Time

	// Items for the background. queued: the key is in the queue.
	promote, giveBack []uint64
	recover           bool      // promote all members that this gateway has
	healed            time.Time // until then the store may not know all members yet: it has lost writes
	queued            bool
}

// keyBytes is what a key costs beside its lists: struct, names, and its share of the map.
const keyBytes = 512

// names are the key's names in the store: the header, the ring, two hashes of sightings.
func (k *key) names(ring int) []string {
	names := make([]string, 0, ring+3)
	names = append(names, k.base+"h")
	for i := range ring {
		names = append(names, k.base+strconv.Itoa(i))
	}
	return append(names, k.base+"a", k.base+"b")
}

// has reports whether a series was a member when the members were fetched last. The lock is held.
func (k *key) has(series uint64) bool {
	_, ok := slices.BinarySearch(k.fetched, series)
	return ok
}

// allowed is the number of strangers that may enter here while the store is away: an equal share of the places that
// were free. The lock is held.
func (k *key) allowed(w *Want, gateways int) int {
	taken := max(k.members, w.Held-len(k.alone))
	return max(w.Max-taken, 0) / gateways
}

// enterAlone decides on a stranger without the store. The lock is held.
func (k *key) enterAlone(w *Want, gateways int) Answer {
	switch _, alone := k.alone[w.Series]; {
	case k.has(w.Series):
		return Member
	case alone:
		return Alone
	case w.Peek || len(k.alone) >= k.allowed(w, gateways):
		return Refused
	}
	if k.alone == nil {
		k.alone = make(map[uint64]bool)
	}
	k.alone[w.Series] = false
	return Alone
}

// learn takes over what a reply says of the key. The lock is held.
func (k *key) learn(r *reply, now time.Time, length time.Duration) {
	if r.version.incarnation < k.known.incarnation || r.version.incarnation == k.known.incarnation && r.version.number < k.known.number {
		return // overtaken by a later one
	}
	k.known, k.members, k.answered = r.version, r.members, now
	if r.lost {
		k.startHealing(now, length)
	}
}

// startHealing has the store learn again what it has lost. The lock is held.
func (k *key) startHealing(now time.Time, length time.Duration) {
	k.recover, k.healed = true, now.Add(length)
}

// merged returns the members that were fetched, with those that the store may have lost. The lock is held.
func (k *key) merged(fetched []uint64, now time.Time) []uint64 {
	slices.Sort(fetched)
	if !now.Before(k.healed) || len(k.fetched) == 0 {
		return fetched
	}
	all := append(fetched, k.fetched...) //nolint:gocritic // fetched is ours
	slices.Sort(all)
	return slices.Clip(slices.Compact(all))
}

// isContested reports whether so many places are in use that strangers cannot simply have one. The lock is held.
func (k *key) isContested() bool {
	return !k.answered.IsZero() && k.members >= min(k.max, k.contested)
}

// idle reports whether nothing would be missed without the key. The lock is held.
func (k *key) idle(now time.Time, after time.Duration) bool {
	return now.Sub(k.used) > after && len(k.alone)+len(k.lost)+len(k.promote)+len(k.giveBack) == 0 && !k.fetching
}
