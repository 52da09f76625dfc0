package tracker

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/bits-and-blooms/bloom/v3"
)

// decider gives the places of one key to the series of any number of goroutines.
type decider interface {
	decide(fp uint64) bool
}

// ours is a tracker behind a lock, as package limit uses it.
type ours struct {
	*Tracker
	mu sync.Mutex
}

func (o *ours) decide(fp uint64) bool {
	if o.Known(fp, 0) {
		return true
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return offer(o.Tracker, fp)
}

// locked is a tracker whose Known is never called without the lock.
type locked ours

func (o *locked) decide(fp uint64) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return offer(o.Tracker, fp)
}

// filters are two generations of unchanged bloom/v3 filters with their own hashing.
type filters struct {
	mu                sync.Mutex
	current, previous *bloom.BloomFilter
	size, limit       int
}

func (f *filters) decide(fp uint64) bool {
	var key [8]byte
	binary.LittleEndian.PutUint64(key[:], fp)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.size < f.limit {
		if !f.current.TestOrAdd(key[:]) {
			f.size++
			f.previous.Add(key[:])
		}
		return true
	}
	current, previous := f.current.Test(key[:]), f.previous.Test(key[:])
	return current || previous
}

// table is a map under a lock, with one generation.
type table struct {
	mu    sync.Mutex
	keys  map[uint64]struct{}
	limit int
}

func (m *table) decide(fp uint64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, known := m.keys[fp]; known {
		return true
	}
	if len(m.keys) >= m.limit {
		return false
	}
	m.keys[fp] = struct{}{}
	return true
}

// syncMap is sync.Map, with one generation.
type syncMap struct {
	keys  sync.Map
	size  atomic.Int64
	limit int64
}

func (m *syncMap) decide(fp uint64) bool {
	if _, known := m.keys.Load(fp); known {
		return true
	}
	if m.size.Load() >= m.limit {
		return false
	}
	if _, known := m.keys.LoadOrStore(fp, struct{}{}); !known {
		m.size.Add(1)
	}
	return true
}

type nothing struct{}

//go:noinline
func (nothing) decide(fp uint64) bool { return fp != 0 }

// kinds are the compared implementations, each with a limit of n series.
var kinds = []struct {
	name string
	make func(n int) decider
}{
	{"loop_alone", func(int) decider { return nothing{} }},
	{"exact", func(n int) decider { return newOurs(n, n) }},
	{"exact_locked", func(n int) decider { return (*locked)(newOurs(n, n)) }},
	{"bloom", func(n int) decider { return newOurs(n, 0) }},
	{"bloom_locked", func(n int) decider { return (*locked)(newOurs(n, 0)) }},
	{"bloomv3_two", func(n int) decider { return newFilters(n) }},
	{"map", func(n int) decider { return &table{keys: map[uint64]struct{}{}, limit: n} }},
	{"sync.Map", func(n int) decider { return &syncMap{limit: int64(n)} }},
}

func newFilters(n int) *filters {
	filter := func() *bloom.BloomFilter { return bloom.NewWithEstimates(uint(n), 5e-5) }
	return &filters{current: filter(), previous: filter(), limit: n}
}

func newOurs(limit, exactUpTo int) *ours {
	t, _ := New(limit, 0, config(exactUpTo))
	return &ours{Tracker: t}
}

// hashes returns n random fingerprints.
func hashes(n int, seed uint64) []uint64 {
	h, rng := make([]uint64, n), rand.New(rand.NewPCG(seed, 1))
	for i := range h {
		h[i] = rng.Uint64()
	}
	return h
}

// The benchmark measures a decision without the hashing, for one key of n members:
//
//	hit   a member, seen in this generation
//	over  a stranger, and no place is free
//	miss  a stranger that gets a place; from no member to n, including the growth of the table
//
// The fingerprints are read from memory in sequence. All goroutines share the key.
func BenchmarkDecision(b *testing.B) {
	for _, n := range []int{1_000, 1_000_000, 10_000_000} {
		for _, k := range kinds {
			b.Run(fmt.Sprintf("%s/series=%d", k.name, n), func(b *testing.B) {
				members, strangers := hashes(n, 1), hashes(n, 2)
				before := heap()
				d := k.make(n)
				for _, fp := range members {
					d.decide(fp)
				}
				bytes := float64(heap()-before) / float64(n)
				for _, c := range []struct {
					name    string
					hashes  []uint64
					workers int // a core
				}{{"hit", members, 0}, {"over", strangers, 0}, {"hit", members, 1}, {"hit", members, 4}, {"over", strangers, 4}} {
					if c.workers == 0 {
						b.Run(c.name, func(b *testing.B) { sequence(b, d, c.hashes, bytes) })
					} else {
						name := fmt.Sprintf("%s/goroutines=%d", c.name, c.workers*runtime.GOMAXPROCS(0))
						b.Run(name, func(b *testing.B) { parallel(b, d, c.hashes, c.workers) })
					}
				}
				b.Run("miss", func(b *testing.B) { enter(b, func() decider { return k.make(n) }, members) })
			})
		}
	}
}

// The benchmark reports how many of ten million strangers get a place, compared with the limit. Run it with -benchtime 1x.
func BenchmarkAdmitted(b *testing.B) {
	const offered = 10_000_000
	for _, limit := range []int{2_000, 1_000_000} {
		for name, open := range map[string]func() decider{
			"default":     func() decider { return newOurs(limit, 65_536) },
			"bloom_alone": func() decider { return newOurs(limit, 0) },
			"bloomv3_two": func() decider { return newFilters(limit) },
		} {
			b.Run(fmt.Sprintf("%s/limit=%d", name, limit), func(b *testing.B) {
				admitted := 0
				for b.Loop() {
					d, rng := open(), rand.New(rand.NewPCG(1, 1))
					admitted = 0
					for range offered {
						if d.decide(rng.Uint64()) {
							admitted++
						}
					}
				}
				b.ReportMetric(float64(admitted), "admitted")
				b.ReportMetric(float64(admitted)/float64(limit), "admitted/limit")
			})
		}
	}
}

func sequence(b *testing.B, d decider, hashes []uint64, bytes float64) {
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		d.decide(hashes[i])
		if i++; i == len(hashes) {
			i = 0
		}
	}
	b.ReportMetric(bytes, "B/series")
}

func parallel(b *testing.B, d decider, hashes []uint64, workers int) {
	b.SetParallelism(workers)
	var turn atomic.Int64
	b.RunParallel(func(pb *testing.PB) {
		i := int(turn.Add(1)) * 7919 % len(hashes)
		for pb.Next() {
			d.decide(hashes[i])
			if i++; i == len(hashes) {
				i = 0
			}
		}
	})
}

func enter(b *testing.B, open func() decider, hashes []uint64) {
	b.ReportAllocs()
	var d decider
	i := 0
	for b.Loop() {
		if i == 0 {
			d = open()
		}
		d.decide(hashes[i])
		if i++; i == len(hashes) {
			i = 0
		}
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// The benchmark measures how long a rotation blocks a key of 1M series, if all of them stay and if all of them lose their
// places.
func BenchmarkRotation(b *testing.B) {
	const series = 1_000_000
	for name, exactUpTo := range map[string]int{"exact": series, "bloom": 0} {
		for _, forgotten := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/forgotten=%t", name, forgotten), func(b *testing.B) {
				members := hashes(series, 1)
				tr := open(b, series, config(exactUpTo))
				generation := int64(0)
				report := func() {
					for _, fp := range members {
						offer(tr, fp)
					}
				}
				report()
				b.ResetTimer()
				for range b.N {
					b.StopTimer()
					if forgotten {
						generation++
						tr.Advance(generation)
					} else {
						report()
					}
					b.StartTimer()
					generation++
					tr.Advance(generation)
					b.StopTimer()
					report()
					b.StartTimer()
				}
			})
		}
	}
}
