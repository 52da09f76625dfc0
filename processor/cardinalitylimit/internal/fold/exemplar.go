package fold

import (
	"slices"
	"sort"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/floats"
)

// What leaves with one outgoing point at most. The specification has 20 for the
// exponential histogram and a bucket's one for the explicit one, whose series here has
// as many buckets as senders choose.
// https://opentelemetry.io/docs/specs/otel/metrics/sdk/#exemplar-defaults
const (
	maxExemplars = 20
	// Of the attributes that go with an exemplar: all are chosen by senders.
	maxFiltered      = 32
	maxFilteredBytes = 2 << 10
	// exemplarBytes is what an exemplar takes beside its attributes.
	exemplarBytes = 256
)

// exemplar is one that has been copied, and is not written any more.
type exemplar struct {
	pmetric.Exemplar
	bytes int
}

// readExemplars copies the newest of s, with the attributes of their point that the
// outgoing series does not have.
func readExemplars(s pmetric.ExemplarSlice, of, series pcommon.Map) (read []exemplar, dropped int64) {
	for i := s.Len() - 1; i >= 0; i-- {
		from := s.At(i)
		if len(read) == maxExemplars || from.ValueType() == pmetric.ExemplarValueTypeDouble && !floats.IsFinite(from.DoubleValue()) {
			dropped++
			continue
		}
		e := exemplar{Exemplar: pmetric.NewExemplar()}
		e.SetTimestamp(from.Timestamp())
		e.SetTraceID(from.TraceID())
		e.SetSpanID(from.SpanID())
		if from.ValueType() == pmetric.ExemplarValueTypeInt {
			e.SetIntValue(from.IntValue())
		} else {
			e.SetDoubleValue(from.DoubleValue())
		}
		left := filter(e.FilteredAttributes(), from.FilteredAttributes(), pcommon.NewMap(), maxFilteredBytes)
		filter(e.FilteredAttributes(), of, series, left)
		e.bytes = exemplarBytes + mapBytes(e.FilteredAttributes())
		read = append(read, e)
	}
	slices.Reverse(read)
	return read, dropped
}

// filter copies what to does not have nor the series, and what there is room for, and
// returns the room that is left.
func filter(to, from, series pcommon.Map, room int) (left int) {
	for k, v := range from.All() {
		bytes := len(k) + valueBytes(v) - attributeBytes
		if to.Len() == maxFiltered || bytes > room {
			continue
		}
		if _, known := series.Get(k); known {
			continue
		}
		if _, known := to.Get(k); known { // what the observation says comes first
			continue
		}
		v.CopyTo(to.PutEmpty(k))
		room -= bytes
	}
	return room
}

// reservoir is the exemplars since the flush: of a histogram with bounds the last of
// each bucket, neighbours together where there are more than maxExemplars, otherwise
// a sample in which each has the same chance.
// https://opentelemetry.io/docs/specs/otel/metrics/sdk/#alignedhistogrambucketexemplarreservoir
// https://opentelemetry.io/docs/specs/otel/metrics/sdk/#simplefixedsizeexemplarreservoir
type reservoir struct {
	kept    []placed
	offered uint64
}

// placed is an exemplar with its bucket, -1 without.
type placed struct {
	exemplar
	bucket int
}

// offer puts e in, and returns the exemplar that has to go, if any: e or another.
func (r *reservoir) offer(e placed, random func(n uint64) uint64) (out exemplar, dropped bool) {
	r.offered++
	at := len(r.kept)
	switch {
	case e.bucket >= 0:
		at = r.of(e.bucket)
	case at == maxExemplars:
		at = int(min(random(r.offered), maxExemplars))
		if at == maxExemplars {
			return e.exemplar, true
		}
	}
	if at == len(r.kept) {
		r.kept = append(r.kept, e)
		return exemplar{}, false
	}
	out, r.kept[at] = r.kept[at].exemplar, e
	return out, true
}

// of returns the position of a bucket's exemplar, len(kept) where there is none.
func (r *reservoir) of(bucket int) int {
	for i := range r.kept {
		if r.kept[i].bucket == bucket {
			return i
		}
	}
	return len(r.kept)
}

// bytes is what is reserved for the exemplars.
func (r *reservoir) bytes() (n int) {
	for i := range r.kept {
		n += r.kept[i].bytes
	}
	return n
}

// restore puts back those of a flush that was refused: what came since goes first.
func (r *reservoir) restore(before reservoir) (out []exemplar) {
	r.offered += before.offered
	for _, e := range before.kept {
		if len(r.kept) == maxExemplars || e.bucket >= 0 && r.of(e.bucket) < len(r.kept) {
			out = append(out, e.exemplar)
			continue
		}
		r.kept = append(r.kept, e)
	}
	return out
}

// appendTo copies the exemplars to an outgoing point, by time: there are backends that
// take them in no other order.
func (r *reservoir) appendTo(to pmetric.ExemplarSlice) {
	sort.SliceStable(r.kept, func(i, j int) bool { return r.kept[i].Timestamp() < r.kept[j].Timestamp() })
	for _, e := range r.kept {
		e.CopyTo(to.AppendEmpty())
	}
}

// keep offers the exemplars of a point that has been folded into a. Those until the
// time told have come with the point before. What there is no room for is dropped.
func (t *Table) keep(a *accumulator, from []exemplar, told int64, n *Stats) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range from {
		if at := int64(e.Timestamp()); at != 0 && at <= told {
			continue
		}
		if !t.opts.Budget.Reserve(e.bytes) {
			n[StatExemplars]++
			continue
		}
		a.unsent = true
		if out, dropped := a.exemplars.offer(placed{e, a.bucket(e)}, t.opts.Random); dropped {
			t.opts.Budget.Release(out.bytes)
			n[StatExemplars]++
		}
	}
}

// bucket is the one of an exemplar in an explicit histogram with bounds, otherwise
// -1. Where there are more than maxExemplars neighbours are one. The lock is held.
func (a *accumulator) bucket(e exemplar) int {
	h, ok := a.value.(*histogram)
	if !ok || len(h.bounds) == 0 {
		return -1
	}
	v := e.DoubleValue()
	if e.ValueType() == pmetric.ExemplarValueTypeInt {
		v = float64(e.IntValue())
	}
	bucket := sort.SearchFloat64s(h.bounds, v) // the first bound at or above it
	return bucket * min(len(h.counts), maxExemplars) / len(h.counts)
}

// forsake drops exemplars.
func (t *Table) forsake(r *reservoir, n *Stats) {
	t.opts.Budget.Release(r.bytes())
	n[StatExemplars] += int64(len(r.kept))
	*r = reservoir{}
}

// DropExemplars drops those that have not left, which are in no cut.
func (t *Table) DropExemplars() {
	var n Stats
	for _, a := range t.all() {
		a.mu.Lock()
		t.forsake(&a.exemplars, &n)
		a.mu.Unlock()
	}
	for _, p := range t.refused {
		for i := range p.taken {
			t.forsake(&p.taken[i].exemplars, &n)
		}
	}
	t.stats.add(n)
}
