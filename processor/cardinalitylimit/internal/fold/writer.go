package fold

import (
	"math"
	"slices"
	"sync"
	"time"
)

// writer is the source of a metric's streams: a resource, a scope and a metric, whatever
// their start. It exports collections: the points whose times are less than a second
// apart. A stream that a writer shows for the first time in its third collection is new,
// as an older stream would have been in the ones before.
type writer struct {
	before, last     int64  // newest time of the collection before and of the current one, ns since the epoch
	begun, seen      uint32 // our time of the first sighting and of the last, seconds since the epoch, rounded up
	serial           uint32 // number of the current collection, from 1
	points, previous uint32 // of the current collection and of the one before
	// reference is the least lower quartile of the increases and first values of one
	// batch, over the collections from the second on; 0: none yet.
	reference float32
	barred    uint8 // collections to come in which a first value proves nothing
}

const (
	// collectionWidth separates the collections of a writer.
	collectionWidth = int64(time.Second)
	// provenFrom is the collection from which on a stream that is new to us is new.
	provenFrom = 3
	// barredFor is how many collections prove nothing after one that had fewer points
	// than the one before: streams of it may be shown later.
	barredFor = 10
	// plausible is how many times the reference a first value may be.
	plausible = 30
	// writerBytes is what a writer uses in its map, key included.
	writerBytes = 64
)

// sighting is the part of a collection that came in one batch.
type sighting struct {
	writer uint64
	newest int64
	points uint32
}

// add counts a point of time at, or reports that it belongs to another collection.
func (s *sighting) add(at int64) bool {
	if d := at - s.newest; d >= collectionWidth || d <= -collectionWidth {
		return false
	}
	s.points++
	s.newest = max(s.newest, at)
	return true
}

// see adds a sighting. One of an older collection says nothing.
func (w *writer) see(s *sighting, now uint32) {
	w.seen = now
	switch d := s.newest - w.last; {
	case w.serial == 0:
		w.begun, w.serial = now, 1
		w.last, w.points = s.newest, s.points
	case d >= collectionWidth:
		switch {
		case w.points < w.previous:
			w.barred = barredFor
		case w.barred > 0:
			w.barred--
		}
		w.before, w.last = w.last, s.newest
		w.previous, w.points = w.points, s.points
		w.serial++
	case d > -collectionWidth:
		w.last, w.points = max(w.last, s.newest), w.points+s.points
	}
}

// learn lowers the reference to the lower quartile of sizes, which it sorts.
func (w *writer) learn(sizes []float64) {
	if len(sizes) == 0 || w.serial < provenFrom-1 {
		return
	}
	slices.Sort(sizes)
	if q := float32(sizes[(len(sizes)-1)/4]); w.reference == 0 || q < w.reference {
		w.reference = q
	}
}

// evidence is what a writer says about the first values of its streams.
type evidence struct {
	before int64   // a stream that started later is new
	begun  int64   // our time of the first collection
	most   float64 // a first value up to this is new; 0: none is
	serial uint32  // of the current collection
}

func noEvidence(serial uint32) evidence { return evidence{before: math.MaxInt64, serial: serial} }

func (w *writer) evidence() evidence {
	e := noEvidence(w.serial)
	e.begun = int64(w.begun) * int64(time.Second)
	if w.serial < provenFrom { // the collections before may have been late ones
		return e
	}
	e.before = w.before
	if w.barred == 0 {
		e.most = plausible * float64(w.reference)
	}
	return e
}

// writers is the writers of a table. Safe for concurrent use.
type writers struct {
	shards [shardCount]writerShard
}

type writerShard struct {
	mu      sync.Mutex
	writers map[uint64]writer
}

func (all *writers) shard(id uint64) *writerShard { return &all.shards[id>>(64-shardBits)] }

// see adds the sightings of a batch. A writer for which there is no room stays unknown.
func (t *Table) see(sightings []sighting, now int64) {
	for i := range sightings {
		s := &sightings[i]
		in := t.writers.shard(s.writer)
		in.mu.Lock()
		w, known := in.writers[s.writer]
		if !known && (t.known.Add(1) > int64(t.opts.MaxStreams) || !t.opts.Budget.Reserve(writerBytes)) {
			t.known.Add(-1)
			in.mu.Unlock()
			continue
		}
		if in.writers == nil {
			in.writers = make(map[uint64]writer)
		}
		w.see(s, uint32(now/int64(time.Second)+1))
		in.writers[s.writer] = w
		in.mu.Unlock()
	}
}

// learn tells the writer what its streams have grown by in one batch and returns its
// evidence.
func (t *Table) learn(id uint64, sizes []float64) evidence {
	in := t.writers.shard(id)
	in.mu.Lock()
	defer in.mu.Unlock()
	w, known := in.writers[id]
	if !known {
		return noEvidence(0)
	}
	w.learn(sizes)
	in.writers[id] = w
	return w.evidence()
}

// serial returns the number of the writer's current collection, or 0.
func (all *writers) serial(id uint64) uint32 {
	in := all.shard(id)
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.writers[id].serial
}

// sweepWriters forgets the writers that have been silent since before, by our clock.
func (t *Table) sweepWriters(before int64) {
	for i := range t.writers.shards {
		in := &t.writers.shards[i]
		in.mu.Lock()
		for id, w := range in.writers {
			if int64(w.seen)*int64(time.Second) < before {
				delete(in.writers, id)
				t.known.Add(-1)
				t.opts.Budget.Release(writerBytes)
			}
		}
		in.mu.Unlock()
	}
}

// frozenWriter is a writer at a cut.
type frozenWriter struct {
	id uint64
	writer
}

func (t *Table) captureWriters() (all []frozenWriter) {
	for i := range t.writers.shards {
		in := &t.writers.shards[i]
		in.mu.Lock()
		for id, w := range in.writers {
			all = append(all, frozenWriter{id, w})
		}
		in.mu.Unlock()
	}
	return all
}

func (t *Table) restoreWriters(all []frozenWriter) {
	for _, w := range all {
		if t.known.Load() >= int64(t.opts.MaxStreams) || !t.opts.Budget.Reserve(writerBytes) {
			return
		}
		t.known.Add(1)
		in := t.writers.shard(w.id)
		if in.writers == nil {
			in.writers = make(map[uint64]writer)
		}
		in.writers[w.id] = w.writer
	}
}
