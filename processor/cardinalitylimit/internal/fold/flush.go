package fold

import (
	"maps"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pmetric"
)

// Parcel contains the outgoing points of one client metadata.
type Parcel struct {
	Metadata map[string][]string
	Metrics  pmetric.Metrics // downstream may change it
	values   []outgoing
}

// outgoing is a value that has left its accumulator for a parcel. It is not written any more.
type outgoing struct {
	from        *accumulator
	value       measure
	start, time int64 // of the outgoing point
	unsent      bool  // accumulator.unsent before the flush
	exemplars   reservoir
}

// Points is the number of outgoing points.
func (p *Parcel) Points() int { return len(p.values) }

// build makes the outgoing points.
func (p *Parcel) build() {
	b := newBuilder()
	for i := range p.values {
		b.add(&p.values[i])
	}
	p.Metrics = b.md
}

// Outcome is the result of sending a parcel.
type Outcome uint8

// Outcomes.
const (
	Delivered Outcome = iota
	Refused           // refused for now; sent again with the next flush
	Lost              // refused permanently; the next flush repeats only cumulative series
	Abandoned         // refused, and there is no next flush
)

// Again returns the parcels that downstream has refused for now. They are offered again unchanged. Finish must be called for
// each parcel before the next flush.
func (t *Table) Again() []*Parcel {
	parcels := make([]*Parcel, 0, len(t.refused))
	for _, p := range t.refused {
		p.build()
		parcels = append(parcels, p)
	}
	return parcels
}

// AgainCut is Again with a cut that lacks the parcels. When the cut is stored, no parcel can be sent twice.
func (t *Table) AgainCut() (*Cut, []*Parcel) {
	c := t.Cut()
	c.refused = nil
	return c, t.Again()
}

// Flush returns the parcels to be sent now. Finish must be called for each parcel before the next flush. If a refused parcel of
// the same metadata waits, deltas and gauges stay in their accumulators until the parcel has been sent.
func (t *Table) Flush() []*Parcel {
	_, parcels := t.capture(false, true)
	return parcels
}

// FlushCut is Flush with a cut of the state after the flush. When the cut is stored, no total is sent that is higher than the
// one with which a restart would begin.
func (t *Table) FlushCut() (*Cut, []*Parcel) { return t.capture(true, true) }

// parcels contains the parcels by client metadata.
type parcels map[string]*Parcel

func (all parcels) add(k *outgoing) {
	id := metadataID(k.from.series.Metadata)
	p := all[id]
	if p == nil {
		p = &Parcel{Metadata: k.from.series.Metadata}
		all[id] = p
	}
	p.values = append(p.values, *k)
}

// waits reports whether the deltas or gauges of a must wait for a refused parcel of the same metadata.
func (t *Table) waits(a *accumulator) bool {
	return len(t.refused) > 0 && !a.repeats() && t.refused[metadataID(a.series.Metadata)] != nil
}

// nextOutgoing returns the next outgoing value of the accumulator, if it is due: a new value or, for a cumulative series, its
// total while a stream lives. Value is the total of an accumulator that repeats. The caller holds the lock.
func (a *accumulator) nextOutgoing(now int64, value measure) (k outgoing, due bool) {
	if !a.repeats() {
		value = a.value
	}
	if value == nil || a.repeats() && a.live == 0 && !a.unsent {
		return outgoing{}, false
	}
	k = outgoing{from: a, value: value, unsent: a.unsent, exemplars: a.exemplars}
	k.start, k.time = a.interval(now)
	a.emitted = k.time
	a.unsent = value != a.value && a.method == addGrowth // growth since the cut remains
	a.exemplars = reservoir{}
	if !a.repeats() {
		a.value, a.shared, a.earliest, a.newest = nil, false, 0, 0
	}
	return k, true
}

// Finish ends the offer of a parcel and returns the number of lost points. Values refused for now are offered again unchanged,
// except those of series that the next flush repeats.
func (t *Table) Finish(p *Parcel, o Outcome) (lost int) {
	var n Stats
	t.unrefuse(p)
	kept := &Parcel{Metadata: p.Metadata}
	for i := range p.values {
		k := &p.values[i]
		switch {
		case o == Delivered:
			t.opts.Budget.Release(k.exemplars.bytes())
			continue
		case o == Abandoned:
			t.dropExemplars(&k.exemplars, &n)
			if k.unsent || !k.from.repeats() { // otherwise downstream has this total already
				lost++
			}
		case k.from.repeats():
			k.from.repeat(k)
			t.putBack(k, o, &n)
		case o == Lost:
			t.dropExemplars(&k.exemplars, &n)
			lost++
		default:
			kept.values = append(kept.values, *k)
		}
	}
	t.keepRefused(kept)
	n[StatUndelivered] = int64(lost)
	t.stats.add(n)
	return lost
}

// keepRefused makes p the refused parcel of its metadata, which the next flush offers again.
func (t *Table) keepRefused(p *Parcel) {
	if len(p.values) == 0 {
		return
	}
	for i := range p.values {
		p.values[i].from.pin()
	}
	t.refused[metadataID(p.Metadata)] = p
}

// unrefuse removes p from the refused parcels.
func (t *Table) unrefuse(p *Parcel) {
	id := metadataID(p.Metadata)
	if t.refused[id] != p {
		return
	}
	delete(t.refused, id)
	for i := range p.values {
		p.values[i].from.unpin(0)
	}
}

// repeat makes the next flush send the value that downstream has not accepted.
func (a *accumulator) repeat(k *outgoing) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.unsent = a.unsent || k.unsent
}

// putBack returns the exemplars of a flush that was refused for now to their accumulator. It drops those of a flush that was
// refused permanently, because they may be the reason.
func (t *Table) putBack(k *outgoing, o Outcome, n *Stats) {
	if o == Lost {
		t.dropExemplars(&k.exemplars, n)
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

// metadataID returns equal texts for equal metadata. It separates values with zero bytes, which do not occur in headers.
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
