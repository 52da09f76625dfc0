package tracker

import (
	"slices"

	"github.com/bits-and-blooms/bloom/v3"

	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/snapshot"
)

// Image is a copy of a tracker. Making it costs a copy of the memory of the members. Writing it lasts longer and needs no
// lock.
type Image struct {
	limit      int
	generation int64
	exact      bool
	write      func(e *snapshot.Encoder)
	lost       lostMembers
}

// Image returns a copy of t. The caller holds the lock.
func (t *Tracker) Image() Image {
	m := Image{limit: t.limit, generation: t.generation, lost: lostMembers{sets: slices.Clone(t.lost.sets)}}
	switch s := t.store.(type) {
	case *fingerprints:
		m.exact, m.write = true, s.image()
	case *blooms:
		m.write = s.image()
	}
	return m
}

// Encode writes the image.
func (m Image) Encode(e *snapshot.Encoder) {
	e.Uint(uint64(m.limit))
	e.Int(m.generation)
	e.Bool(m.exact)
	m.lost.encode(e)
	m.write(e)
}

// Decode reads a tracker. Now is the current generation. The tracker continues in its own generation, or in now if that is
// earlier, because the clock of the writer may have been ahead. Decode returns nil if the budget has no memory. In that case,
// too, it reads the whole tracker.
func Decode(d *snapshot.Decoder, now int64, options *Options) *Tracker {
	t := &Tracker{limit: int(min(d.Uint(), maxLimit)), generation: min(d.Int(), now), options: options}
	exact := d.Bool()
	t.lost, t.unreported = decodeLost(d, options)
	if exact {
		f := decodeFingerprints(d, options)
		if f == nil {
			t.lost.free()
			return nil
		}
		t.store = f
	} else {
		b := decodeBlooms(d, t.limit, options)
		if b == nil {
			t.lost.free()
			return nil
		}
		t.store = b
	}
	t.lowered = t.store.size() > t.limit+t.limit/64 // more than the error of the filters
	t.publish()
	return t
}

// maxLimit bounds a decoded limit, so that it fits into an int.
const maxLimit = 1 << 31

// image copies the store and returns a function that writes the copy.
func (f *fingerprints) image() func(e *snapshot.Encoder) {
	tag, slots := f.tag, slices.Clone(f.slots)
	return func(e *snapshot.Encoder) {
		members := slices.DeleteFunc(slots, func(slot uint64) bool { return slot == 0 })
		e.Uint(tag)
		e.Words(members)
	}
}

func decodeFingerprints(d *snapshot.Decoder, options *Options) *fingerprints {
	tag, members := d.Uint(), d.Words()
	if tag > tagMask {
		d.Fail()
		return nil
	}
	bits := slotBits(len(members))
	if !options.Budget.Reserve(wordBytes << bits) {
		return nil
	}
	f := &fingerprints{
		slots: make([]uint64, 1<<bits), shift: 64 - bits, tag: tag,
		keep: uint64(options.Generations), budget: options.Budget,
	}
	for _, slot := range members {
		i := f.find(slot &^ tagMask)
		if slot&^tagMask == 0 || f.slots[i] != 0 || f.expired(slot) {
			f.free()
			d.Fail()
			return nil
		}
		f.slots[i] = slot
		f.members++
		if slot&tagMask == tag {
			f.currentMembers++
		}
	}
	return f
}

// image copies the store and returns a function that writes the copy.
func (b *blooms) image() func(e *snapshot.Encoder) {
	copies := slices.Clone(b.filters)
	for i := range copies {
		copies[i].BloomFilter = b.filters[i].Copy()
	}
	return func(e *snapshot.Encoder) {
		e.Uint(uint64(len(copies)))
		for i := range copies {
			g := &copies[i]
			e.Uint(uint64(g.age))
			e.Uint(uint64(g.members))
			e.Uint(uint64(g.promoted))
			encodeFilter(e, &g.filter)
		}
	}
}

func encodeFilter(e *snapshot.Encoder, f *filter) {
	e.Uint(uint64(f.Cap()))
	e.Uint(uint64(f.K()))
	e.Words(f.BitSet().Words())
}

func decodeFilter(d *snapshot.Decoder) (f filter, ok bool) {
	m, k, words := d.Uint(), d.Uint(), d.Words()
	if m == 0 || k == 0 || k > maxHashes || uint64(len(words)) != (m-1)/wordBits+1 {
		d.Fail()
		return f, false
	}
	return filter{BloomFilter: bloom.FromWithM(words, uint(m), uint(k))}, true
}

// maxHashes is far above the number that any configurable rate needs.
const maxHashes = 64

func decodeBlooms(d *snapshot.Decoder, limit int, options *Options) *blooms {
	b := &blooms{keep: options.Generations, capacity: limit, rate: options.FalsePositiveRate, budget: options.Budget}
	last := 0
	for range d.Len(6) {
		g := generationFilter{age: int(d.Uint()), members: int(d.Uint()), promoted: int(d.Uint())}
		f, ok := decodeFilter(d)
		first := len(b.filters) == 0
		if first && g.age != 0 || !first && g.age-last != 0 && g.age-last != 1 || g.members < 0 || g.promoted < 0 || !ok {
			d.Fail()
		}
		last = g.age
		if d.Err() != nil {
			b.filters = nil
			break
		}
		g.filter = f
		b.filters = append(b.filters, g)
	}
	if len(b.filters) == 0 || last != options.Generations-1 {
		d.Fail()
		return nil
	}
	for i := range b.filters {
		b.filters[i].ones = int(b.filters[i].BitSet().Count())
	}
	if !b.budget.Reserve(b.bytes()) {
		return nil
	}
	return b
}
