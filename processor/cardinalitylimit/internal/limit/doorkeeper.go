package limit

import (
	"sync"
	"time"

	"github.com/otelcol-custom/otelcol-custom/internal/budget"
)

// doorkeeper decides which strangers may have the last places of a key. A stranger must have been active in an earlier slot of
// our clock: it was seen then with another value or start than now. SDKs repeat every cumulative stream in each export, so
// presence alone is not activity.
//
// Sightings are in two Bloom filters. When the current one is full or filterSlots old, it becomes the earlier one. Older
// sightings are forgotten.
//
// One doorkeeper serves one limit. It is safe for concurrent use.
type doorkeeper struct {
	budget *budget.Budget

	mu               sync.Mutex
	current, earlier sightings // nil before the first stranger, and always nil if the budget had no memory
	reserved         bool
	turn             int64 // number of begun filters
	begun            int64 // slot in which the current filter was begun
	written          int   // entries in the current filter
}

const (
	// slotLength is the length of a slot of the clock.
	slotLength = 10 * time.Second
	// filterBits is the size of one of the filters, 1 MiB.
	filterBits = 1 << 23
	// filterSlots is the number of slots for which a filter is the current one: 5 minutes, for senders that export once per
	// minute or more often.
	filterSlots = 30
	// maxWritten is the maximum number of entries of a filter. With five bits each they set a fifth of it, which gives one
	// false positive in 2,000.
	maxWritten = filterBits / 20
	// maxWrittenByKey is an eighth of maxWritten, so that one key cannot fill the filter.
	maxWrittenByKey = maxWritten / 8

	// Tags distinguish slots from stamps.
	tagSlot  = 0x9e3779b97f4a7c15
	tagStamp = 0x3c6ef372fe94f82b
)

// quota is a key's share of the entries of a filter.
type quota struct {
	turn    int64 // value of doorkeeper.turn to which written belongs
	written int
}

// sighting is one sighting of a stranger.
type sighting struct {
	series uint64 // identity of the series under its key
	stamp  uint64 // hash of the value and start of its stream
	slot   int64  // of our clock
}

// active reports whether the stranger was active in an earlier slot, and writes the sighting. Without memory for the filters
// every stranger counts as active. The caller holds the lock of the key that q belongs to.
func (d *doorkeeper) active(q *quota, s sighting) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.prepare(s.slot) {
		return true
	}
	seen := mixed(s.series)
	now, same := mixed(s.series^mixed(uint64(s.slot)^tagSlot)), mixed(s.series^mixed(s.stamp^tagStamp)) //nolint:gosec // bits
	active := d.has(seen) && !d.has(now) && !d.has(same)
	if q.turn != d.turn {
		*q = quota{turn: d.turn}
	}
	if q.samples(seen) {
		before := d.written
		d.write(seen)
		d.write(now)
		d.write(same)
		q.written += d.written - before
	}
	return active
}

// samples reports whether the sighting of a stranger of the key is written. The more entries the key has written, the fewer
// strangers are sampled: after half of its share every second one, after three quarters every fourth, and so on.
func (q *quota) samples(hash uint64) bool {
	level := 0
	left := maxWrittenByKey - q.written
	for left > 0 && left <= maxWrittenByKey>>(level+1) {
		level++
	}
	return left > 0 && mixed(hash)&(1<<level-1) == 0
}

// prepare makes the filters and exchanges them when it is time. It returns false without memory for them.
func (d *doorkeeper) prepare(slot int64) bool {
	if !d.reserved {
		d.reserved, d.begun = true, slot
		if d.budget.Reserve(2 * filterBits / 8) {
			d.current, d.earlier = newSightings(), newSightings()
		}
	}
	if d.current != nil && (d.written >= maxWritten || slot-d.begun >= filterSlots) {
		d.current, d.earlier = d.earlier, d.current
		clear(d.current)
		d.turn, d.written, d.begun = d.turn+1, 0, slot
	}
	return d.current != nil
}

func (d *doorkeeper) write(entry uint64) {
	if !d.current.has(entry) {
		d.current.add(entry)
		d.written++
	}
}

func (d *doorkeeper) has(entry uint64) bool { return d.current.has(entry) || d.earlier.has(entry) }

// sightings is a Bloom filter. The bits of an entry are in one cache line.
type sightings [][8]uint64

const lineBits = 14 // filterBits are 2^14 lines of 512

func newSightings() sightings { return make(sightings, 1<<lineBits) }

// bitsOf calls yield with the words and bits of an entry: five of the 512 bits of its line.
func (s sightings) bitsOf(entry uint64, yield func(word *uint64, bit uint64) bool) bool {
	line := &s[entry>>(64-lineBits)]
	for range 5 {
		at := entry & 511
		if !yield(&line[at>>6], 1<<(at&63)) {
			return false
		}
		entry >>= 9
	}
	return true
}

func (s sightings) has(entry uint64) bool {
	return s.bitsOf(entry, func(word *uint64, bit uint64) bool { return *word&bit != 0 })
}

func (s sightings) add(entry uint64) {
	s.bitsOf(entry, func(word *uint64, bit uint64) bool { *word |= bit; return true })
}

// mixed mixes the bits of a hash, so that the bits of two entries are independent.
func mixed(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
