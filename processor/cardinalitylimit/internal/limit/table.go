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

// table holds the trackers of a limit by key. Shards exist to keep goroutines with
// different keys apart; one key is always under one lock.
type table struct {
	shards  [shardCount]shard
	shared  shard // one tracker for the keys beyond max_keys
	keys    atomic.Int64
	maxKeys int64
	config  *tracker.Config
}

const (
	shardBits  = 6
	shardCount = 1 << shardBits
	// keyBytes is what a key costs beside its tracker's store: entry and tracker
	// with their share of the map, text of the key.
	keyBytes = 320
	// sharedKey is the identity of the one tracker of table.shared.
	sharedKey = 0
)

type shard struct {
	mu   sync.Mutex
	keys map[uint64]*entry
	// forgot is the latest forgot of the keys removed.
	forgot int64
}

// entry is the tracker of one key, or of one label of a key.
type entry struct {
	*tracker.Tracker
	text string // the key for a person
	// override is the index of the override that applies, -1 without one.
	override int
	// forgot is when who had lost their place was forgotten last, in ns since the epoch; 0
	// never.
	// Written under the lock.
	forgot atomic.Int64
	// restored: the number of places is the one that was stored. The next point of the key brings the configured one.
	restored bool
	dead     bool // removed from the table; for cursors that remember it
	// promised are the places that the point at hand has been told of and not yet taken. 0 while nobody holds the lock.
	promised int
	sighted  sighted
}

func (t *table) init(places int, o *Options) bool {
	t.config, t.maxKeys = &o.Tracker, int64(o.MaxKeys)
	for i := range t.shards {
		t.shards[i].keys = make(map[uint64]*entry)
	}
	e := t.open(places, 0)
	if e == nil {
		return false
	}
	e.text = "keys beyond max_keys"
	t.shared.keys = map[uint64]*entry{sharedKey: e}
	return true
}

func (t *table) shard(key uint64) *shard { return &t.shards[key>>(64-shardBits)] }

// open returns a new entry, or nil where the budget has no room.
func (t *table) open(places int, epoch int64) *entry {
	if !t.config.Budget.Reserve(keyBytes) {
		return nil
	}
	tr, ok := tracker.New(places, epoch, t.config)
	if !ok {
		t.config.Budget.Release(keyBytes)
		return nil
	}
	return &entry{Tracker: tr, override: noOverride}
}

// add gives id a tracker in s, or nil where there are max_keys already or no memory. Describe is called where there is
// room. The shard's lock is held.
func (t *table) add(s *shard, id uint64, epoch int64, describe func() *description) *entry {
	if t.keys.Add(1) > t.maxKeys {
		t.keys.Add(-1)
		return nil
	}
	d := describe()
	e := t.open(d.places, epoch)
	if e == nil {
		t.keys.Add(-1)
		return nil
	}
	e.text, e.override = offenders.Clip(d.text), d.override
	e.forgot.Store(s.forgot)
	s.keys[id] = e
	return e
}

// advance brings the entry to generation epoch. The shard's lock is held.
func (e *entry) advance(epoch, now int64) {
	if e.Advance(epoch) > 0 {
		e.forgot.Store(now)
	}
}
