package fold

import (
	"maps"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pmetric"
)

// Parcel is what leaves under one client metadata.
type Parcel struct {
	Metadata map[string][]string
	Metrics  pmetric.Metrics // downstream may change it
	taken    []taken
}

// taken is a value that has left its accumulator for a parcel. It is not written any
// more.
type taken struct {
	from        *accumulator
	value       measure
	start, time int64 // of the outgoing point
	unsent      bool  // as it was before
	exemplars   reservoir
}

// Points is the number of outgoing points.
func (p *Parcel) Points() int { return len(p.taken) }

// build makes the outgoing points.
func (p *Parcel) build() {
	b := newBuilder()
	for i := range p.taken {
		b.add(&p.taken[i])
	}
	p.Metrics = b.md
}

// Outcome of sending a parcel.
type Outcome uint8

// Outcomes.
const (
	Delivered Outcome = iota
	Refused           // for now: goes out with the next flush
	Lost              // for good; cumulative series go out with the next flush all the same
	Abandoned         // for good, and there is no next flush
)

// Again returns what downstream has refused for now, to be offered once more,
// unchanged. Each parcel must be settled before the next flush.
func (t *Table) Again() []*Parcel {
	parcels := make([]*Parcel, 0, len(t.refused))
	for _, p := range t.refused {
		p.build()
		parcels = append(parcels, p)
	}
	return parcels
}

// AgainCut is Again with a cut that no longer has the parcels: once it is stored, none
// of them can be sent twice.
func (t *Table) AgainCut() (*Cut, []*Parcel) {
	c := t.Cut()
	c.refused = nil
	return c, t.Again()
}

// Flush takes what is to leave now. Each parcel must be settled before the next
// flush. While a parcel of the same metadata is refused, deltas and gauges stay: they
// leave after it.
func (t *Table) Flush() []*Parcel {
	_, parcels := t.capture(false, true)
	return parcels
}

// FlushCut is Flush with a cut that has what the parcels say and no longer has what
// they take along: once it is stored, no total that leaves can be higher than one
// that a restart begins with.
func (t *Table) FlushCut() (*Cut, []*Parcel) { return t.capture(true, true) }

// parcels sorts what leaves by its client metadata.
type parcels map[string]*Parcel

func (all parcels) add(k *taken) {
	id := metadataID(k.from.series.Metadata)
	p := all[id]
	if p == nil {
		p = &Parcel{Metadata: k.from.series.Metadata}
		all[id] = p
	}
	p.taken = append(p.taken, *k)
}

// waits reports whether what a sends once has to wait for a parcel that has been
// refused.
func (t *Table) waits(a *accumulator) bool {
	return len(t.refused) > 0 && !a.repeats() && t.refused[metadataID(a.series.Metadata)] != nil
}

// take takes what the accumulator has to say, if anything: what is new or, if
// cumulative, what it said before while a stream lives. Value is that of an
// accumulator that repeats. The lock is held.
func (a *accumulator) take(now int64, value measure) (k taken, due bool) {
	if !a.repeats() {
		value = a.value
	}
	if value == nil || a.repeats() && a.live == 0 && !a.unsent {
		return taken{}, false
	}
	k = taken{from: a, value: value, unsent: a.unsent, exemplars: a.exemplars}
	k.start, k.time = a.interval(now)
	a.emitted = k.time
	a.unsent = value != a.value && a.method == addGrowth // what a cut leaves behind
	a.exemplars = reservoir{}
	if !a.repeats() {
		a.value, a.lent, a.earliest, a.newest = nil, false, 0, 0
	}
	return k, true
}

// Settle ends the offer of a parcel and returns how many points are lost. What was
// refused for now is offered again, unchanged, except for what the next flush repeats.
func (t *Table) Settle(p *Parcel, o Outcome) (lost int) {
	var n Stats
	t.unrefuse(p)
	kept := &Parcel{Metadata: p.Metadata}
	for i := range p.taken {
		k := &p.taken[i]
		switch {
		case o == Delivered:
			t.opts.Budget.Release(k.exemplars.bytes())
			continue
		case o == Abandoned:
			t.forsake(&k.exemplars, &n)
			if k.unsent || !k.from.repeats() { // otherwise it says again what downstream has
				lost++
			}
		case k.from.repeats():
			k.from.repeat(k)
			t.putBack(k, o, &n)
		case o == Lost:
			t.forsake(&k.exemplars, &n)
			lost++
		default:
			kept.taken = append(kept.taken, *k)
		}
	}
	t.keepRefused(kept)
	n[StatUndelivered] = int64(lost)
	t.stats.add(n)
	return lost
}

// keepRefused makes p the parcel of its metadata that is to be offered again.
func (t *Table) keepRefused(p *Parcel) {
	if len(p.taken) == 0 {
		return
	}
	for i := range p.taken {
		p.taken[i].from.pin()
	}
	t.refused[metadataID(p.Metadata)] = p
}

// unrefuse forgets that p has been refused, if it has.
func (t *Table) unrefuse(p *Parcel) {
	id := metadataID(p.Metadata)
	if t.refused[id] != p {
		return
	}
	delete(t.refused, id)
	for i := range p.taken {
		p.taken[i].from.unpin(0)
	}
}

// repeat makes sure that the next flush sends what downstream has not taken.
func (a *accumulator) repeat(k *taken) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.unsent = a.unsent || k.unsent
}

// putBack gives the accumulator the exemplars of a flush that was refused for now; one
// that is refused for good may be so because of them.
func (t *Table) putBack(k *taken, o Outcome, n *Stats) {
	if o == Lost {
		t.forsake(&k.exemplars, n)
		return
	}
	a := k.from
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range a.exemplars.restore(k.exemplars) {
		t.opts.Budget.Release(e.bytes)
		n[StatExemplars]++
	}
}

// metadataID is equal for equal metadata. Values may hold any byte but are
// separated by their lengths' place: zero bytes do not occur in headers.
func metadataID(md map[string][]string) string {
	if len(md) == 0 {
		return ""
	}
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(md)) {
		b.WriteString(k)
		for _, v := range md[k] {
			b.WriteString("\x00" + v)
		}
		b.WriteString("\x00\x00")
	}
	return b.String()
}
