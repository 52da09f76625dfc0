package limit

import (
	"math"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/cluster"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/tracker"
)

// Cluster shares the places of the limits with other gateways. It is asked only about series that are unknown here.
type Cluster interface {
	// Ask decides which strangers may have a place. Finish reports which of them entered.
	Ask(wants []cluster.Want)
	Finish(wants []cluster.Want)
	// Renew is called for a member that is seen for the first time in a generation. Lost reports whether it has lost its place
	// meanwhile.
	Renew(p cluster.Place, places int) (noted bool)
	Lost(p cluster.Place) bool
	// Shift is the time of the clock that generations follow minus that of ours.
	Shift() time.Duration
}

var _ Cluster = (*cluster.Gateway)(nil)

// clusterWants are the places that the points of a batch want from the cluster.
type clusterWants struct {
	collecting bool // see Want
	wants      []cluster.Want
	answered   int                   // number of answered wants
	index      map[cluster.Place]int // index in wants
	places     []cluster.Place       // places of the point at hand
}

// GenerationLength returns the length of a generation of the window. In a cluster it is in whole milliseconds, as in the store.
func (o *Options) GenerationLength() time.Duration {
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

// Identities returns the name of each limit, in the order of a Set, and a text of everything that must be equal for two
// gateways to share its places.
func Identities(specs []Spec, o *Options) (names, identities []string) {
	for _, l := range arrange(specs, o.Rules) {
		names, identities = append(names, l.Name), append(identities, l.identity(o))
	}
	return names, identities
}

// Members returns the members of a key, or nil if they cannot be listed.
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

// Want notes the next place of the point at hand that only the cluster can give, and reports whether there is one. It changes
// nothing else. The caller then calls AskCluster and Want again. When Want returns false, the caller calls Decide.
func (c *Cursor) Want(attrs pcommon.Map, stale bool) bool {
	if c.exempt {
		return false
	}
	c.collecting, c.knownOnly, c.stale = true, false, stale
	shared := c.Counts.Shared
	c.ReadAgain(attrs)
	c.decideByLimits(attrs, &Decision{Limit: -1, Rule: -1})
	c.Counts.Shared = shared
	c.collecting = false
	return c.stranger
}

// AskCluster asks the cluster about the places noted by Want since the last call. It returns false if there are none.
func (c *Cursor) AskCluster() bool {
	open := c.wants[c.answered:]
	if len(open) == 0 {
		return false
	}
	c.set.options.Cluster.Ask(open)
	c.answered = len(c.wants)
	return true
}

// InCluster reports whether places are shared with other gateways.
func (c *Cursor) InCluster() bool { return c.set.options.Cluster != nil }

// finishCluster returns the unused places.
func (c *Cursor) finishCluster() {
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

// clusterVerdict is verdict for a place that is shared with other gateways. A series with a place here keeps it. Other series need the cluster's answer.
func (c *Cursor) clusterVerdict(i int, a question) tracker.Verdict {
	if len(c.verdicts) == 0 {
		c.places = c.places[:0]
	}
	a.entry.advance(c.generation, c.now)
	v := a.entry.CheckGranted(a.fp)
	place := cluster.Place{Limit: i, Key: a.id, Series: tracker.StoredBits(a.fp)}
	if !v.IsMember() || v == tracker.Renew && c.set.options.Cluster.Lost(place) {
		if c.knownOnly {
			c.stranger = true
			return v
		}
		v = c.answeredVerdict(place, a, v)
	}
	c.places = append(c.places, place)
	c.verdicts = append(c.verdicts, pendingVerdict{pair: a.pair, entry: a.entry, fp: a.fp, verdict: v, place: len(c.places) - 1})
	return v
}

// answeredVerdict returns the verdict on a stranger from the cluster's answer. Without an answer the point waits for it, or has no
// place.
func (c *Cursor) answeredVerdict(p cluster.Place, a question, v tracker.Verdict) tracker.Verdict {
	at, asked := c.index[p]
	switch {
	case asked && at < c.answered:
		switch w := &c.wants[at]; {
		case w.Answer == cluster.Refused:
			return tracker.Full
		case c.stale:
			return tracker.Known
		default:
			return v
		}
	case !c.collecting:
		return tracker.Full
	}
	c.stranger = true
	if asked {
		c.wants[at].Peek = c.wants[at].Peek && c.stale
		return v
	}
	l := c.set.limits[p.Limit]
	if c.index == nil {
		c.index = make(map[cluster.Place]int)
	}
	c.index[p] = len(c.wants)
	contested := a.entry.Limit()
	if l.contestedAt > 0 {
		contested = int(math.Ceil(l.contestedAt * float64(contested)))
	}
	stamp := c.stampOf(c.set.hash.Combine(a.id, a.series))
	c.wants = append(c.wants, cluster.Want{
		Place: p, Max: a.entry.Limit(), Used: a.entry.Size(), Contested: contested,
		Stamp: uint32(stamp ^ stamp>>32), Peek: c.stale, //nolint:gosec // bits
	})
	return v
}

// usePlace reports to the cluster that a place is used or renewed. It returns false if the tracker must not be updated yet.
func (c *Cursor) usePlace(v *pendingVerdict) bool {
	p := c.places[v.place]
	if at, asked := c.index[p]; asked && at < c.answered {
		c.wants[at].Entered = true
	}
	return v.verdict != tracker.Renew || c.set.options.Cluster.Renew(p, v.entry.Limit())
}
