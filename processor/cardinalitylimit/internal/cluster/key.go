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

// key is this gateway's copy of the state of a key in the store.
type key struct {
	keyID
	base string // beginning of the names in the store, including the hash tag

	mu   sync.Mutex // guards everything below
	used time.Time  // last use by a batch
	terms
	known    version   // of the state in the last reply
	answered time.Time // time of the last reply; zero before the first
	members  int       // number of members in the last reply
	// fetched contains the members at the time fetchedAt, sorted.
	fetched   []uint64
	fetchedAt time.Time
	fetching  bool
	avoid     time.Time // the store is not asked before this time, because a call has just failed
	// alone contains the series that entered without the store and that the store has not decided on yet. The value is false
	// until a point has used the place.
	alone map[uint64]bool
	// lost contains the series that entered without the store and that the store refused later, with the time of the refusal.
	lost map[uint64]time.Time

	// The background sends promote and giveBack to the store.
	promote, giveBack []uint64
	recover           bool      // the background promotes all members that this gateway has
	incompleteUntil   time.Time // the store may lack members before this time, because it has lost writes
	queued            bool      // the key is in Gateway.queue
}

// keyBytes is the size of a key without its lists: struct, names, and its share of the map.
const keyBytes = 512

// names returns the names of the key in the store: the header, the ring of generations, and two hashes of sightings.
func (k *key) names(ring int) []string {
	names := make([]string, 0, ring+3)
	names = append(names, k.base+"h")
	for i := range ring {
		names = append(names, k.base+strconv.Itoa(i))
	}
	return append(names, k.base+"a", k.base+"b")
}

// has reports whether a series was a member at the time fetchedAt. The caller holds the lock.
func (k *key) has(series uint64) bool {
	_, ok := slices.BinarySearch(k.fetched, series)
	return ok
}

// allowed returns the number of strangers that may enter at this gateway while the store does not answer: an equal share of
// the places that were free. The caller holds the lock.
func (k *key) allowed(w *Want, gateways int) int {
	used := max(k.members, w.Used-len(k.alone))
	return max(w.Max-used, 0) / gateways
}

// enterAlone decides on a stranger without the store. The caller holds the lock.
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

// update copies the state of the key from a reply. The caller holds the lock.
func (k *key) update(r *reply, now time.Time, length time.Duration) {
	if r.version.incarnation < k.known.incarnation || r.version.incarnation == k.known.incarnation && r.version.number < k.known.number {
		return // a later reply was faster
	}
	k.known, k.members, k.answered = r.version, r.members, now
	if r.lost {
		k.startRecovery(now, length)
	}
}

// startRecovery makes the background promote all members again after the store has lost writes. The caller holds the lock.
func (k *key) startRecovery(now time.Time, length time.Duration) {
	k.recover, k.incompleteUntil = true, now.Add(length)
}

// merged returns the fetched members, together with the known ones that the store may have lost. The caller holds the lock.
func (k *key) merged(fetched []uint64, now time.Time) []uint64 {
	slices.Sort(fetched)
	if !now.Before(k.incompleteUntil) || len(k.fetched) == 0 {
		return fetched
	}
	all := append(fetched, k.fetched...) //nolint:gocritic // fetched is ours
	slices.Sort(all)
	return slices.Clip(slices.Compact(all))
}

// isContested reports whether the key has so many members that a stranger may be refused. The caller holds the lock.
func (k *key) isContested() bool {
	return !k.answered.IsZero() && k.members >= min(k.max, k.contested)
}

// idle reports whether the key can be deleted without loss. The caller holds the lock.
func (k *key) idle(now time.Time, after time.Duration) bool {
	return now.Sub(k.used) > after && len(k.alone)+len(k.lost)+len(k.promote)+len(k.giveBack) == 0 && !k.fetching
}
