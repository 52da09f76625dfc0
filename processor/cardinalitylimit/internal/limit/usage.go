package limit

import (
	"cmp"
	"slices"
	"strconv"
)

// Usage is the state of a limit at one time.
type Usage struct {
	Limit  string
	Max    int   // places of a key without override
	Series int64 // used places of all keys
	Keys   int64
	Near   int64 // keys that use at least warn_at of their places
	// Fullest contains the keys with the largest shares of used places, the fullest first, at most fullestKeys.
	Fullest []KeyUsage
	// Overrides contains the usage by override, in the order of the configuration.
	Overrides []OverrideUsage
}

// KeyUsage is the state of one key.
type KeyUsage struct {
	Key    string // text for a person
	Series int
	Max    int
}

// Share is the share of used places.
func (k *KeyUsage) Share() float64 { return float64(k.Series) / float64(k.Max) }

// OverrideUsage is the state of the keys that an override applies to.
type OverrideUsage struct {
	Name    string // its index
	Max     int    // places of each key
	Keys    int64
	Series  int64 // used places of its keys
	Fullest int   // used places of the key with the most
}

// fullestKeys bounds Usage.Fullest.
const fullestKeys = 10

func (l *limit) newUsage() Usage {
	u := Usage{Limit: l.Name, Max: l.max, Overrides: make([]OverrideUsage, len(l.Overrides))}
	for i := range l.Overrides {
		u.Overrides[i] = OverrideUsage{Name: strconv.Itoa(i), Max: l.Overrides[i].Max}
	}
	return u
}

// add adds the key of e.
func (u *Usage) add(e *entry, warnAt float64) {
	k := KeyUsage{e.text, e.Size(), e.Limit()}
	u.Series += int64(k.Series)
	if warnAt > 0 && k.Share() >= warnAt {
		u.Near++
	}
	if e.override >= 0 && e.override < len(u.Overrides) {
		o := &u.Overrides[e.override]
		o.Keys++
		o.Series += int64(k.Series)
		o.Fullest = max(o.Fullest, k.Series)
	}
	if k.Series == 0 || len(u.Fullest) == fullestKeys && !fuller(&k, &u.Fullest[fullestKeys-1]) {
		return
	}
	at, _ := slices.BinarySearchFunc(u.Fullest, &k, func(a KeyUsage, b *KeyUsage) int {
		if fuller(&a, b) {
			return -1
		}
		return 1
	})
	u.Fullest = slices.Insert(u.Fullest[:min(len(u.Fullest), fullestKeys-1)], at, k)
}

// fuller reports whether a comes before b: by their shares, then by their texts.
func fuller(a, b *KeyUsage) bool {
	return cmp.Or(cmp.Compare(b.Share(), a.Share()), cmp.Compare(a.Key, b.Key)) < 0
}

// sweep brings every entry to a generation, removes the empty ones and adds up the others. It locks one shard at a time.
func (l *limit) sweep(generation, now int64) Usage {
	u := l.newUsage()
	t := &l.trackers
	visit := func(s *shard, shared bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		for id, e := range s.keys {
			e.advance(generation, now)
			if e.Size() == 0 && !e.Remembers() && !shared {
				e.dead = true
				e.Free()
				t.options.Budget.Release(keyBytes)
				t.keys.Add(-1)
				delete(s.keys, id)
				s.forgotAt = max(s.forgotAt, e.forgotAt.Load())
				continue
			}
			u.add(e, l.WarnAt)
		}
	}
	for i := range t.shards {
		visit(&t.shards[i], false)
	}
	visit(&t.shared, true)
	u.Keys = t.keys.Load()
	return u
}
