package fold

import (
	"math"
	"slices"
	"sync"
	"time"
)

// writer is the source of a metric's streams: a resource, a scope and a metric. It exports collections, which are the points
// whose times are less than a second apart. A stream whose first point comes in the writer's third collection or later is new,
// because an older stream would have come in the collections before.
type writer struct {
	before, last     int64  // newest time of the previous and of the current collection, ns since the epoch
	begun, seen      uint32 // time of the first and of the last point by our clock, seconds since the epoch, rounded up
	serial           uint32 // number of the current collection, from 1
	points, previous uint32 // number of points of the current and of the previous collection
	// reference is a lower quartile of the increases and first values of one batch: the least one since the second collection.
	// 0: none yet.
	reference float32
	barred    uint8 // number of coming collections in which a first value is no evidence
}

const (
	// collectionWidth is the minimum time between the points of two collections of a writer.
	collectionWidth = int64(time.Second)
	// provenFrom is the number of the collection from which on an unknown stream is new.
	provenFrom = 3
	// barredFor is the number of collections without evidence after a collection that had fewer points than the one before.
	// Streams that were missing in it may come later.
	barredFor = 10
	// plausible is the maximum first value, as a multiple of the reference.
	plausible = 30
	// writerBytes is the size of a writer in its map, including the key.
	writerBytes = 64
)

// collectionPart is the part of a collection that came in one batch.
type collectionPart struct {
	writer uint64
	newest int64
	points uint32
}

// add counts a point of time at. It returns false if the point belongs to another collection.
func (s *collectionPart) add(at int64) bool {
	if d := at - s.newest; d >= collectionWidth || d <= -collectionWidth {
		return false
	}
	s.points++
	s.newest = max(s.newest, at)
	return true
}

// addPart adds a part of a collection. A part of an older collection changes nothing.
func (w *writer) addPart(s *collectionPart, now uint32) {
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

// learn lowers the reference to the lower quartile of sizes. It sorts sizes.
func (w *writer) learn(sizes []float64) {
	if len(sizes) == 0 || w.serial < provenFrom-1 {
		return
	}
	slices.Sort(sizes)
	if q := float32(sizes[(len(sizes)-1)/4]); w.reference == 0 || q < w.reference {
		w.reference = q
	}
}

// evidence is the evidence of a writer about the first values of its streams.
type evidence struct {
	before int64   // a stream that started later than this is new
	begun  int64   // time of the first collection by our clock
	most   float64 // a first value up to this is new; 0: no first value is
	serial uint32  // number of the current collection
}

func noEvidence(serial uint32) evidence { return evidence{before: math.MaxInt64, serial: serial} }

func (w *writer) evidence() evidence {
	e := noEvidence(w.serial)
	e.begun = int64(w.begun) * int64(time.Second)
	if w.serial < provenFrom { // the collections before may have been incomplete
		return e
	}
	e.before = w.before
	if w.barred == 0 {
		e.most = plausible * float64(w.reference)
	}
	return e
}

// writers contains the writers of a table. It is safe for concurrent use.
type writers struct {
	shards [shardCount]writerShard
}

type writerShard struct {
	mu      sync.Mutex
	writers map[uint64]writer
}

func (all *writers) shard(id uint64) *writerShard { return &all.shards[id>>(64-shardBits)] }

// noteParts adds the parts of collections that came in a batch. A writer without memory stays unknown.
func (t *Table) noteParts(parts []collectionPart, now int64) {
	for i := range parts {
		s := &parts[i]
		in := t.writers.shard(s.writer)
		in.mu.Lock()
		w, known := in.writers[s.writer]
		if !known && (t.writerCount.Add(1) > int64(t.opts.MaxStreams) || !t.opts.Budget.Reserve(writerBytes)) {
			t.writerCount.Add(-1)
			in.mu.Unlock()
			continue
		}
		if in.writers == nil {
			in.writers = make(map[uint64]writer)
		}
		w.addPart(s, uint32(now/int64(time.Second)+1))
		in.writers[s.writer] = w
		in.mu.Unlock()
	}
}

// learn lowers the reference of a writer by the growth of its streams in one batch. It returns the writer's evidence.
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
				t.writerCount.Add(-1)
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
		if t.writerCount.Load() >= int64(t.opts.MaxStreams) || !t.opts.Budget.Reserve(writerBytes) {
			return
		}
		t.writerCount.Add(1)
		in := t.writers.shard(w.id)
		if in.writers == nil {
			in.writers = make(map[uint64]writer)
		}
		in.writers[w.id] = w.writer
	}
}
