package tracker

import (
	"slices"
	"sync/atomic"

	"github.com/otelcol-custom/otelcol-custom/internal/budget"
)

// fingerprints is a set of 64-bit fingerprints, each with the generation that saw
// it last: open addressing with linear probing over one array of words.
//
//	63                                3 2      0
//	+----------------------------------+--------+
//	|          fingerprint             |  tag   |   0 = free
//	+----------------------------------+--------+
//
// The generation takes the low three bits, so that both generations of an
// incumbent cost one word, promotion is a store, and a lookup is one probe. What
// is left, 61 bits, confuses two of n members with a chance of n^2/2^62 (1M:
// 2e-7).
//
// Slots that a view may be reading are written atomically.
type fingerprints struct {
	slots   []uint64
	shift   uint // 64 - log2(len(slots)): the home slot is the high bits
	live    int
	current int    // members seen in the current generation
	tag     uint64 // of the current generation
	keep    uint64 // generations that are remembered, the current one included
	budget  *budget.Budget
}

const (
	tagMask     = 1<<tagBits - 1
	tagBits     = 3
	wordBytes   = 8
	minSlotBits = 3
)

var _ store = (*fingerprints)(nil)

func newFingerprints(generations int, memory *budget.Budget) (*fingerprints, bool) {
	if !memory.Reserve(wordBytes << minSlotBits) {
		return nil, false
	}
	return &fingerprints{
		slots:  make([]uint64, 1<<minSlotBits),
		shift:  64 - minSlotBits,
		keep:   uint64(generations),
		budget: memory,
	}, true
}

// strip clears the tag and keeps clear of the free word.
func strip(fp uint64) uint64 {
	if fp &^= tagMask; fp == 0 {
		return 1 << tagBits
	}
	return fp
}

// find returns the slot that holds fp, or the free one where it would go.
func (f *fingerprints) find(fp uint64) uint64 {
	mask := uint64(len(f.slots) - 1)
	i := fp >> f.shift
	for f.slots[i] != 0 && f.slots[i]&^tagMask != fp {
		i = (i + 1) & mask
	}
	return i
}

func (f *fingerprints) lookup(fp uint64) state {
	switch slot := f.slots[f.find(strip(fp))]; {
	case slot == 0:
		return absent
	case slot&tagMask == f.tag:
		return current
	default:
		return older
	}
}

func (f *fingerprints) view() view { return view{words: f.slots, shift: f.shift, tag: f.tag} }

func (f *fingerprints) add(fp uint64, _ bool) {
	fp = strip(fp)
	i := f.find(fp)
	switch {
	case f.slots[i] == 0:
		f.live++
		f.current++
	case f.slots[i]&tagMask != f.tag:
		f.current++
	}
	f.put(i, fp|f.tag)
}

func (f *fingerprints) put(i, slot uint64) { atomic.StoreUint64(&f.slots[i], slot) }

// room keeps the load at three quarters at most: a miss then probes 8.5 slots on
// average, a hit 2.5.
func (f *fingerprints) room() (fits, moved bool) {
	if (f.live+1)*4 <= len(f.slots)*3 {
		return true, false
	}
	bits := 64 - f.shift + 1
	if !f.budget.Reserve(wordBytes << bits) {
		return false, false
	}
	f.budget.Release(wordBytes * len(f.slots))
	f.resize(bits)
	return true, true
}

// slotBits is the size of a table with room for one more than so many members.
func slotBits(members int) uint {
	bits := uint(minSlotBits)
	for (members+1)*4 > 3<<bits {
		bits++
	}
	return bits
}

// shrink gives back what an explosion took, but for twice the room that is needed.
func (f *fingerprints) shrink() {
	if bits := slotBits(f.live) + 1; bits < 64-f.shift {
		f.budget.Release(wordBytes * (len(f.slots) - 1<<bits))
		f.resize(bits)
	}
}

func (f *fingerprints) resize(bits uint) {
	old := f.slots
	f.slots, f.shift = make([]uint64, 1<<bits), 64-bits
	for _, slot := range old {
		if slot != 0 {
			f.slots[f.find(slot&^tagMask)] = slot
		}
	}
}

// rotate begins a generation and forgets the members that none of the remembered
// ones has seen. Cost: one pass over the slots.
func (f *fingerprints) rotate() (lost lostSet) {
	f.tag, f.current = (f.tag+1)&tagMask, 0
	if f.live == 0 {
		return lost
	}
	// From behind a free slot on, removal shifts members only into slots that are
	// still to be visited.
	mask := uint64(len(f.slots) - 1)
	start := uint64(0)
	for f.slots[start] != 0 {
		start++
	}
	for n := uint64(1); n <= mask; n++ {
		i := (start + n) & mask
		for f.slots[i] != 0 && f.expired(f.slots[i]) {
			lost.fingerprints = append(lost.fingerprints, f.slots[i]&^tagMask)
			f.remove(i)
		}
	}
	lost.members = len(lost.fingerprints)
	slices.Sort(lost.fingerprints)
	f.live -= lost.members
	f.shrink()
	return lost
}

func (f *fingerprints) expired(slot uint64) bool {
	return (f.tag-slot)&tagMask >= f.keep
}

// remove frees slot i and closes the gap: every later member of the run whose home
// is not behind the gap moves up.
func (f *fingerprints) remove(i uint64) {
	mask := uint64(len(f.slots) - 1)
	for j := i; ; {
		j = (j + 1) & mask
		if f.slots[j] == 0 {
			break
		}
		home := f.slots[j] >> f.shift
		if (j-home)&mask >= (j-i)&mask {
			f.put(i, f.slots[j])
			i = j
		}
	}
	f.put(i, 0)
}

func (f *fingerprints) size() int { return f.live }

func (f *fingerprints) fresh() int { return f.current }

func (f *fingerprints) free() { f.budget.Release(wordBytes * len(f.slots)) }

// age returns how many generations ago the member in slot was seen.
func (f *fingerprints) age(slot uint64) int { return int((f.tag - slot) & tagMask) }
