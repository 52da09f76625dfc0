package tracker

import (
	"slices"
	"sync/atomic"

	"github.com/otelcol-custom/otelcol-custom/internal/budget"
)

// fingerprints is a hash table of 64-bit fingerprints, each with the generation that saw it last. It uses open addressing
// with linear probing over one array of words.
//
//	63                                3 2      0
//	+----------------------------------+--------+
//	|          fingerprint             |  tag   |   0 = free
//	+----------------------------------+--------+
//
// The tag of the generation is in the low three bits. So a member of several generations costs one word, a promotion is one
// store, and a lookup is one probe. The other 61 bits are equal for two of n members with a probability of n^2/2^62 (1M
// members: 2e-7).
//
// A slot that a view may read is written atomically.
type fingerprints struct {
	slots          []uint64
	shift          uint // 64 - log2(len(slots)); a fingerprint shifted right by it is its home slot
	members        int
	currentMembers int    // seen in the current generation
	tag            uint64 // of the current generation
	keep           uint64 // remembered generations, including the current one
	budget         *budget.Budget
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

// StoredBits returns the bits of a fingerprint that a tracker stores. The bits of the tag are zero. It never returns 0, which
// marks a free slot.
func StoredBits(fp uint64) uint64 {
	if fp &^= tagMask; fp == 0 {
		return 1 << tagBits
	}
	return fp
}

// find returns the slot of fp, or the free slot into which fp would be written. Fp is a result of StoredBits.
func (f *fingerprints) find(fp uint64) uint64 {
	mask := uint64(len(f.slots) - 1)
	i := fp >> f.shift
	for f.slots[i] != 0 && f.slots[i]&^tagMask != fp {
		i = (i + 1) & mask
	}
	return i
}

func (f *fingerprints) lookup(fp uint64) state {
	switch slot := f.slots[f.find(StoredBits(fp))]; {
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
	fp = StoredBits(fp)
	i := f.find(fp)
	switch {
	case f.slots[i] == 0:
		f.members++
		f.currentMembers++
	case f.slots[i]&tagMask != f.tag:
		f.currentMembers++
	}
	f.writeSlot(i, fp|f.tag)
}

func (f *fingerprints) writeSlot(i, slot uint64) { atomic.StoreUint64(&f.slots[i], slot) }

// makeRoom doubles the table if one more member would make the load exceed three quarters. At that load a miss probes 8.5
// slots on average, and a hit 2.5.
func (f *fingerprints) makeRoom() (fits, moved bool) {
	if (f.members+1)*4 <= len(f.slots)*3 {
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

// slotBits returns the binary logarithm of the number of slots for one more member than given.
func slotBits(members int) uint {
	bits := uint(minSlotBits)
	for (members+1)*4 > 3<<bits {
		bits++
	}
	return bits
}

// shrink makes a table that grew in an explosion smaller. It leaves twice the number of slots that the members need.
func (f *fingerprints) shrink() {
	if bits := slotBits(f.members) + 1; bits < 64-f.shift {
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

// rotate begins a generation and removes the members that no remembered generation has seen. It costs one pass over the
// slots.
func (f *fingerprints) rotate() (lost lostSet) {
	f.tag, f.currentMembers = (f.tag+1)&tagMask, 0
	if f.members == 0 {
		return lost
	}
	// The pass begins behind a free slot. Then remove moves members only into slots that the pass has not visited yet.
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
	f.members -= lost.members
	f.shrink()
	return lost
}

// expired reports whether no remembered generation has seen the member in slot.
func (f *fingerprints) expired(slot uint64) bool {
	return (f.tag-slot)&tagMask >= f.keep
}

// remove frees slot i and closes the gap. Each later member of the run moves into the gap, unless its home slot is behind
// the gap.
func (f *fingerprints) remove(i uint64) {
	mask := uint64(len(f.slots) - 1)
	for j := i; ; {
		j = (j + 1) & mask
		if f.slots[j] == 0 {
			break
		}
		home := f.slots[j] >> f.shift
		if (j-home)&mask >= (j-i)&mask {
			f.writeSlot(i, f.slots[j])
			i = j
		}
	}
	f.writeSlot(i, 0)
}

func (f *fingerprints) size() int { return f.members }

func (f *fingerprints) currentSize() int { return f.currentMembers }

func (f *fingerprints) free() { f.budget.Release(wordBytes * len(f.slots)) }

// age returns how many generations ago the member in slot was seen.
func (f *fingerprints) age(slot uint64) int { return int((f.tag - slot) & tagMask) }
