package fold

import (
	"slices"
	"sort"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/floats"
)

// The constants bound the exemplars of one outgoing point. The specification has 20 for the exponential histogram, and one per
// bucket for the explicit histogram. Here an explicit histogram may have as many buckets as its senders choose.
// https://opentelemetry.io/docs/specs/otel/metrics/sdk/#exemplar-defaults
const (
	maxExemplars = 20
	// maxFiltered and maxFilteredBytes bound the attributes of an exemplar. Senders choose all of them.
	maxFiltered      = 32
	maxFilteredBytes = 2 << 10
	// exemplarBytes is the size of an exemplar without its attributes.
	exemplarBytes = 256
)

// exemplar is a copy of an exemplar. It is not written any more.
type exemplar struct {
	pmetric.Exemplar
	bytes int
}

// readExemplars copies the newest exemplars of s, with those attributes of their point that the outgoing series lacks.
func readExemplars(s pmetric.ExemplarSlice, point, series pcommon.Map) (read []exemplar, dropped int64) {
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
		filter(e.FilteredAttributes(), point, series, left)
		e.bytes = exemplarBytes + mapBytes(e.FilteredAttributes())
		read = append(read, e)
	}
	slices.Reverse(read)
	return read, dropped
}

// filter copies the attributes that neither to nor the series has, as far as room bytes allow. It returns the remaining room.
func filter(to, from, series pcommon.Map, room int) (left int) {
	for k, v := range from.All() {
		bytes := len(k) + valueBytes(v) - attributeBytes
		if to.Len() == maxFiltered || bytes > room {
			continue
		}
		if _, known := series.Get(k); known {
			continue
		}
		if _, known := to.Get(k); known { // the exemplar's own attribute has precedence
			continue
		}
		v.CopyTo(to.PutEmpty(k))
		room -= bytes
	}
	return room
}

// reservoir contains the exemplars since the flush. A histogram with bounds has the last exemplar of each bucket; if it has
// more than maxExemplars buckets, neighbouring buckets share one. Otherwise it is a sample in which each exemplar has the same
// chance. https://opentelemetry.io/docs/specs/otel/metrics/sdk/#alignedhistogrambucketexemplarreservoir
// https://opentelemetry.io/docs/specs/otel/metrics/sdk/#simplefixedsizeexemplarreservoir
type reservoir struct {
	kept    []inBucket
	offered uint64
}

// inBucket is an exemplar with its bucket, or -1 without a bucket.
type inBucket struct {
	exemplar
	bucket int
}

// offer adds e. It returns the exemplar that is dropped instead, if any. That may be e.
func (r *reservoir) offer(e inBucket, random func(n uint64) uint64) (out exemplar, dropped bool) {
	r.offered++
	at := len(r.kept)
	switch {
	case e.bucket >= 0:
		at = r.indexOf(e.bucket)
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

// indexOf returns the index of a bucket's exemplar, or len(kept).
func (r *reservoir) indexOf(bucket int) int {
	for i := range r.kept {
		if r.kept[i].bucket == bucket {
			return i
		}
	}
	return len(r.kept)
}

// bytes is the reserved memory of the exemplars.
func (r *reservoir) bytes() (n int) {
	for i := range r.kept {
		n += r.kept[i].bytes
	}
	return n
}

// restore adds the exemplars of a refused flush again. Exemplars that came since the flush have precedence. It returns the
// dropped ones.
func (r *reservoir) restore(before reservoir) (out []exemplar) {
	r.offered += before.offered
	for _, e := range before.kept {
		if len(r.kept) == maxExemplars || e.bucket >= 0 && r.indexOf(e.bucket) < len(r.kept) {
			out = append(out, e.exemplar)
			continue
		}
		r.kept = append(r.kept, e)
	}
	return out
}

// appendTo copies the exemplars to an outgoing point in the order of their times, because some backends accept no other order.
func (r *reservoir) appendTo(to pmetric.ExemplarSlice) {
	sort.SliceStable(r.kept, func(i, j int) bool { return r.kept[i].Timestamp() < r.kept[j].Timestamp() })
	for _, e := range r.kept {
		e.CopyTo(to.AppendEmpty())
	}
}

// offerExemplars offers the exemplars of a folded point to a. Exemplars until the time heardUntil came with the point before. Exemplars
// without memory are dropped.
func (t *Table) offerExemplars(a *accumulator, from []exemplar, heardUntil int64, n *Stats) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range from {
		if at := int64(e.Timestamp()); at != 0 && at <= heardUntil {
			continue
		}
		if !t.opts.Budget.Reserve(e.bytes) {
			n[StatExemplars]++
			continue
		}
		a.unsent = true
		if out, dropped := a.exemplars.offer(inBucket{e, a.bucket(e)}, t.opts.Random); dropped {
			t.opts.Budget.Release(out.bytes)
			n[StatExemplars]++
		}
	}
}

// bucket returns the bucket of an exemplar in an explicit histogram with bounds, otherwise -1. If there are more than
// maxExemplars buckets, neighbouring buckets have one number. The caller holds the lock.
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

// dropExemplars drops and counts the exemplars of a reservoir.
func (t *Table) dropExemplars(r *reservoir, n *Stats) {
	t.opts.Budget.Release(r.bytes())
	n[StatExemplars] += int64(len(r.kept))
	*r = reservoir{}
}

// DropExemplars drops all exemplars that have not been sent. A cut does not contain exemplars.
func (t *Table) DropExemplars() {
	var n Stats
	for _, a := range t.all() {
		a.mu.Lock()
		t.dropExemplars(&a.exemplars, &n)
		a.mu.Unlock()
	}
	for _, p := range t.refused {
		for i := range p.values {
			t.dropExemplars(&p.values[i].exemplars, &n)
		}
	}
	t.stats.add(n)
}
