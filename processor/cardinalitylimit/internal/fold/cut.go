package fold

import (
	"maps"
	"slices"
)

// Cut is the state of a table as it is between two points: what a stream has brought
// is both in its last value and in its accumulator, or in neither. Restored in
// another process, the next point of each stream brings what it grew by since.
//
// The streams are captured shard by shard while points come. One of a shard that has
// been captured is behind the cut, one of another shard before it; both may be of
// one accumulator, which then keeps two values, see fork:
//
//	shard    0   1   2   3              accumulator  value     fork
//	captured x   x   -   -                 10         10
//	         +3                                       13        10
//	                     +5                           18        15  <- the cut's
//
// No lock is held for longer than it takes to copy the streams of one shard.
type Cut struct {
	number          uint64
	at              int64 // our time
	origin, unknown int64
	forgotten       forgottenImage
	writers         []frozenWriter
	accumulators    []frozen
	streams         []frozenStream
	refused         []taken // to be offered again
}

// frozen is an accumulator at the cut. Its value is not written any more.
type frozen struct {
	*accumulator
	held             measure
	earliest, newest int64
	emitted, seen    int64
	unsent           bool // with what leaves now
}

type frozenStream struct {
	id uint64
	stream
}

// Cut returns the state as it is now.
func (t *Table) Cut() *Cut {
	c, _ := t.capture(true, false)
	return c
}

// capture walks all that the table holds: streams, then accumulators. It returns a
// copy of it, what is to leave now, or both.
func (t *Table) capture(keep, flush bool) (*Cut, []*Parcel) {
	c := &Cut{at: t.opts.Now().UnixNano()}
	number := uint64(0)
	if keep {
		t.cuts++
		number = t.cuts
		c.number = number
		c.streams = make([]frozenStream, 0, t.Tracked())
		t.cutting.Store(number)
		defer t.cutting.Store(0)
	}
	if flush {
		t.endAbsent(c.at)
	}
	sums := t.captureStreams(number, c)
	t.mu.RLock()
	c.origin = t.origin
	t.mu.RUnlock()
	if keep {
		c.unknown, c.forgotten, c.writers = t.unknown.Load(), t.forgotten.image(), t.captureWriters()
	}
	leaving := parcels{}
	for _, a := range t.all() {
		k, due, f := a.capture(number, c.at, sums[a], flush && !t.waits(a))
		if due {
			leaving.add(&k)
		}
		if keep {
			c.accumulators = append(c.accumulators, f)
		}
	}
	for _, p := range t.refused {
		c.refused = append(c.refused, p.taken...)
	}
	for _, p := range leaving {
		p.build()
	}
	return c, slices.Collect(maps.Values(leaving))
}

// captureStreams copies the streams into c, if there is a cut, and adds up the last
// values of those that live for each accumulator that wants their sum.
func (t *Table) captureStreams(cut uint64, c *Cut) map[*accumulator]measure {
	sums := make(map[*accumulator]measure)
	var n Stats
	for i := range t.shards {
		in := &t.shards[i]
		if cut != 0 && len(c.streams)+int(in.known.Load()) > cap(c.streams) { // not under the lock
			c.streams = slices.Grow(c.streams, 2*int(in.known.Load()))
		}
		in.mu.Lock()
		for id, s := range in.streams {
			if cut != 0 {
				if s.promised == asked {
					s.promised = cut
				}
				c.streams = append(c.streams, frozenStream{id, *s})
			}
			if s.to.method != sumLive || !s.contributes() {
				continue
			}
			if sum := sums[s.to]; sum != nil {
				sum.add(s.last, &n)
			} else {
				sums[s.to] = s.last.clone()
			}
		}
		if cut != 0 {
			in.side.captured = cut
		}
		in.mu.Unlock()
	}
	t.stats.add(n)
	return sums
}

// capture copies one accumulator after it has given what it has to say.
func (a *accumulator) capture(cut uint64, now int64, sum measure, flush bool) (k taken, due bool, f frozen) {
	a.mu.Lock()
	defer a.mu.Unlock()
	value := sum
	if a.method == addGrowth {
		value = a.cutAt(cut)
	}
	unsent := a.unsent
	if flush {
		k, due = a.take(now, value)
	}
	f = frozen{
		accumulator: a, earliest: a.earliest, newest: a.newest,
		emitted: a.emitted, seen: a.seen, unsent: unsent,
	}
	switch {
	case a.method == addGrowth:
		f.held = value
	case !a.repeats():
		f.held, a.lent = a.value, a.value != nil
	}
	return k, due, f
}
