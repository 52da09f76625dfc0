package limit

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/offenders"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/tracker"
)

// ErrNoMemory means that the memory limit has no room for a limit's first tracker.
var ErrNoMemory = errors.New("memory_limit_mib leaves no room for a tracker")

// table contains the trackers of a limit by key. Goroutines with keys in different shards do not wait for each other. One key
// is always under one lock.
type table struct {
	shards  [shardCount]shard
	shared  shard // one tracker for the keys beyond max_keys
	keys    atomic.Int64
	maxKeys int64
	options *tracker.Options
}

const (
	shardBits  = 6
	shardCount = 1 << shardBits
	// keyBytes is the size of a key without its tracker's store: entry and tracker with their share of the map, and the text of
	// the key.
	keyBytes = 320
	// sharedKey is the identity of the one tracker of table.shared.
	sharedKey = 0
)

type shard struct {
	mu   sync.Mutex
	keys map[uint64]*entry
	// forgotAt is the latest forgotAt of the removed keys.
	forgotAt int64
}

// entry is the tracker of one key, or of one label of a key.
type entry struct {
	*tracker.Tracker
	text string // text of the key for a person
	// override is the index of the override that applies, or noOverride.
	override int
	// forgotAt is the last time at which lost places were forgotten, in ns since the epoch, or 0. It is written under the lock
	// of the shard.
	forgotAt atomic.Int64
	// restored is true if the number of places is the stored one. The next point of the key sets the configured one.
	restored bool
	dead     bool // removed from the table; a cursor may still remember it
	// reservedPlaces is the number of places that the point at hand will get and has not got yet. It is 0 while the shard is
	// not locked.
	reservedPlaces int
	quota          quota
}

func (t *table) init(places int, o *Options) bool {
	t.options, t.maxKeys = &o.Tracker, int64(o.MaxKeys)
	for i := range t.shards {
		t.shards[i].keys = make(map[uint64]*entry)
	}
	e := t.newEntry(places, 0)
	if e == nil {
		return false
	}
	e.text = "keys beyond max_keys"
	t.shared.keys = map[uint64]*entry{sharedKey: e}
	return true
}

func (t *table) shard(key uint64) *shard { return &t.shards[key>>(64-shardBits)] }

// newEntry returns a new entry, or nil if the budget has no memory.
func (t *table) newEntry(places int, generation int64) *entry {
	if !t.options.Budget.Reserve(keyBytes) {
		return nil
	}
	tr, ok := tracker.New(places, generation, t.options)
	if !ok {
		t.options.Budget.Release(keyBytes)
		return nil
	}
	return &entry{Tracker: tr, override: noOverride}
}

// add gives id a tracker in s. It returns nil if there are max_keys already or no memory. Describe is called only if there are
// fewer keys. The caller holds the lock of the shard.
func (t *table) add(s *shard, id uint64, generation int64, describe func() *description) *entry {
	if t.keys.Add(1) > t.maxKeys {
		t.keys.Add(-1)
		return nil
	}
	d := describe()
	e := t.newEntry(d.places, generation)
	if e == nil {
		t.keys.Add(-1)
		return nil
	}
	e.text, e.override = offenders.Clip(d.text), d.override
	e.forgotAt.Store(s.forgotAt)
	s.keys[id] = e
	return e
}

// advance brings the entry to a generation. The caller holds the lock of the shard.
func (e *entry) advance(generation, now int64) {
	if e.Advance(generation) > 0 {
		e.forgotAt.Store(now)
	}
}
