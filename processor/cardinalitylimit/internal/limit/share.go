package limit

import (
	"math"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/cluster"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/tracker"
)

// Cluster shares the places of the limits among gateways. A series that is known here never gets to it.
type Cluster interface {
	// Ask answers which strangers may have a place. Finish follows, with which of them entered.
	Ask(wants []cluster.Want)
	Finish(wants []cluster.Want)
	// Renew is called for a series with a place when it is seen for the first time in a generation. Lost reports
	// whether it has lost its place meanwhile.
	Renew(p cluster.Place, places int) (noted bool)
	Lost(p cluster.Place) bool
	// Shift is how far the clock that generations go by is ahead of ours.
	Shift() time.Duration
}

var _ Cluster = (*cluster.Gateway)(nil)

// sharing is what a cursor knows of places that count for all gateways.
type sharing struct {
	collecting bool // see Want
	wants      []cluster.Want
	answered   int                   // of wants
	index      map[cluster.Place]int // in wants
	places     []cluster.Place       // of the point at hand
}

// Generation is how long a generation of the window lasts: in a cluster whole milliseconds, as the store counts them.
func (o *Options) Generation() time.Duration {
	length := max(o.Window/time.Duration(o.Tracker.Generations), 1)
	if o.Cluster != nil {
		length = length.Truncate(time.Millisecond)
	}
	return length
}

// clusterShift is Cluster.Shift in ns.
func (s *Set) clusterShift() int64 {
	if s.options.Cluster == nil {
		return 0
	}
	return int64(s.options.Cluster.Shift())
}

// Identities returns, for each limit in the order of a Set, its name with what must be equal for its places to mean the
// same in another gateway.
func Identities(specs []Spec, o *Options) (names, identities []string) {
	for _, l := range arrange(specs, o.Rules) {
		names, identities = append(names, l.Name), append(identities, l.identity(o))
	}
	return names, identities
}

// Members returns the series that have a place under a key, or nil where they cannot be named.
func (s *Set) Members(i int, key uint64) []uint64 {
	t := &s.limits[i].trackers
	if members, ok := t.shard(key).members(key); ok || !s.limits[i].labels() {
		return members
	}
	for at := range t.shards { // a label is in the shard of its key
		if members, ok := t.shards[at].members(key); ok {
			return members
		}
	}
	return nil
}

func (s *shard) members(key uint64) ([]uint64, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.keys[key]
	if !ok {
		return nil, false
	}
	return e.Members(), true
}

// Want notes which place the point at hand needs next that only the cluster can give, and reports whether there is one.
// It changes nothing else. Ask answers what was noted; then Want is called again, and Decide when nothing is wanted.
func (c *Cursor) Want(attrs pcommon.Map, stale bool) bool {
	if c.exempt {
		return false
	}
	c.collecting, c.knownOnly = true, false
	shared := c.Counts.Shared
	c.ReadAgain(attrs)
	c.ask(attrs, stale, &Decision{Limit: -1, Rule: -1})
	c.Counts.Shared = shared
	c.collecting = false
	return c.stranger
}

// Ask answers what Want has noted since the last call, and reports whether there was anything.
func (c *Cursor) Ask() bool {
	open := c.wants[c.answered:]
	if len(open) == 0 {
		return false
	}
	c.set.options.Cluster.Ask(open)
	c.answered = len(c.wants)
	return true
}

// Shares reports whether places count for several gateways.
func (c *Cursor) Shares() bool { return c.set.options.Cluster != nil }

// endSharing gives back the places that were not used.
func (c *Cursor) endSharing() {
	if len(c.wants) == 0 {
		return
	}
	c.set.options.Cluster.Finish(c.wants)
	clear(c.index)
	c.wants, c.answered = c.wants[:0], 0
	if cap(c.wants) > maxPooled {
		c.wants, c.index = nil, nil
	}
}

// share is verdict for a place that counts for all gateways: who has one here keeps it, others need the cluster's answer.
func (c *Cursor) share(i int, a asking, stale bool) tracker.Verdict {
	if len(c.verdicts) == 0 {
		c.places = c.places[:0]
	}
	a.entry.advance(c.epoch, c.now)
	v := a.entry.CheckGranted(a.fp)
	place := cluster.Place{Limit: i, Key: a.id, Series: tracker.Strip(a.fp)}
	if !v.Holds() || v == tracker.Renew && c.set.options.Cluster.Lost(place) {
		if c.knownOnly {
			c.stranger = true
			return v
		}
		v = c.answer(place, a, v, stale)
	}
	c.places = append(c.places, place)
	c.verdicts = append(c.verdicts, verdict{pair: a.pair, entry: a.entry, fp: a.fp, verdict: v, place: len(c.places) - 1})
	return v
}

// answer is the verdict on a stranger by the cluster's answer. Without one the point waits for it, or has no place.
func (c *Cursor) answer(p cluster.Place, a asking, v tracker.Verdict, stale bool) tracker.Verdict {
	at, asked := c.index[p]
	switch {
	case asked && at < c.answered:
		switch w := &c.wants[at]; {
		case w.Answer == cluster.Refused:
			return tracker.Full
		case stale:
			return tracker.Known
		default:
			return v
		}
	case !c.collecting:
		return tracker.Full
	}
	c.stranger = true
	if asked {
		c.wants[at].Peek = c.wants[at].Peek && stale
		return v
	}
	l := c.set.limits[p.Limit]
	if c.index == nil {
		c.index = make(map[cluster.Place]int)
	}
	c.index[p] = len(c.wants)
	contested := a.entry.Limit()
	if l.contest > 0 {
		contested = int(math.Ceil(l.contest * float64(contested)))
	}
	stamp := c.stampOf(c.set.hash.Combine(a.id, a.series))
	c.wants = append(c.wants, cluster.Want{
		Place: p, Max: a.entry.Limit(), Held: a.entry.Size(), Contested: contested,
		Stamp: uint32(stamp ^ stamp>>32), Peek: stale, //nolint:gosec // bits
	})
	return v
}

// usePlace reports to the cluster that a place is used or renewed, and returns whether the tracker may know.
func (c *Cursor) usePlace(v *verdict) bool {
	p := c.places[v.place]
	if at, asked := c.index[p]; asked && at < c.answered {
		c.wants[at].Entered = true
	}
	return v.verdict != tracker.Renew || c.set.options.Cluster.Renew(p, v.entry.Limit())
}
