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
	Metrics  pmetric.Metrics
	builder  *builder
	taken    []taken
}

// taken is a value that has left its accumulator for a parcel.
type taken struct {
	from             *accumulator
	value            measure
	earliest, newest int64
	emitted          int64 // before the parcel
}

// Points is the number of outgoing points.
func (p *Parcel) Points() int { return len(p.taken) }

// Outcome of sending a parcel.
type Outcome uint8

// Outcomes.
const (
	Delivered Outcome = iota
	Refused           // for now: goes out with the next flush
	Lost              // for good; cumulative series go out with the next flush all the same
	Abandoned         // for good, and there is no next flush
)

// Flush takes what is to leave now. Each parcel must be settled before the next
// flush.
func (t *Table) Flush() []*Parcel {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.opts.Now().UnixNano()
	t.sumLive()
	parcels := make(map[string]*Parcel)
	for _, a := range t.accumulators {
		if !a.due() {
			continue
		}
		id := metadataID(a.series.Metadata)
		p := parcels[id]
		if p == nil {
			p = &Parcel{Metadata: a.series.Metadata, builder: newBuilder()}
			p.Metrics = p.builder.md
			parcels[id] = p
		}
		start, time := a.interval(now)
		p.builder.add(a, start, time)
		p.taken = append(p.taken, taken{a, a.value, a.earliest, a.newest, a.emitted})
		a.emitted = time
		if !a.repeats() {
			a.value, a.earliest, a.newest = nil, 0, 0
		}
	}
	return slices.Collect(maps.Values(parcels))
}

// due tells whether the accumulator has something to say: anything new or, if
// cumulative, a stream that lives.
func (a *accumulator) due() bool {
	if a.value == nil {
		return false
	}
	return a.live > 0 || !a.repeats()
}

// repeats tells whether each flush says again all that the ones before said.
func (a *accumulator) repeats() bool { return a.method == addGrowth || a.method == sumLive }

// sumLive adds up the last values of the live streams.
func (t *Table) sumLive() {
	for _, a := range t.accumulators {
		if a.method == sumLive {
			a.value = nil
		}
	}
	for _, s := range t.streams {
		if s.to.method == sumLive && s.contributes() {
			s.to.merge(s.last, &t.stats)
		}
	}
}

// Settle ends a flush and returns how many points are lost. What was refused goes
// back to where it came from and joins what has come since; the interval opens again.
func (t *Table) Settle(p *Parcel, o Outcome) (lost int) {
	if o == Delivered {
		return 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range p.taken {
		k := &p.taken[i]
		switch {
		case o == Abandoned:
			lost++
		case k.from.repeats(): // by the next flush
		case o == Lost:
			lost++
		default:
			k.from.restore(k, &t.stats)
		}
	}
	t.stats.Undelivered += int64(lost)
	return lost
}

func (a *accumulator) restore(k *taken, n *Stats) {
	newer := a.value
	a.emitted = k.emitted
	switch a.method {
	case addDelta:
		a.value = k.value
		if newer != nil {
			a.value.add(newer, n)
		}
	case replaceLast:
		if newer == nil || k.newest > a.newest {
			a.value = k.value
		}
	default:
		a.value = k.value
		if newer != nil {
			a.replace(newer, a.newest)
		}
	}
	if newer == nil {
		a.earliest, a.newest = k.earliest, k.newest
		return
	}
	a.earliest, a.newest = min(a.earliest, k.earliest), max(a.newest, k.newest)
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
