package fold

import (
	"cmp"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// Point is an observation to be folded.
type Point struct {
	Target  uint64 // identity of the outgoing series
	Stream  uint64 // identity of the point's own series
	Start   int64  // ns since the epoch, 0 unknown
	Time    int64  // ns since the epoch
	Horizon int64  // see accumulator.horizon
	Stale   bool   // NoRecordedValue: the stream ends; no value
	Gauge   bool   // folded as GaugeAs or, without it, as Options.Gauge says
	GaugeAs Gauge
	// Baseline: if this is the first point of its stream, its value is not counted.
	Baseline bool
	Value    Value
	// Both or none; only read before Add or Admit returns.
	Attributes pcommon.Map
	Exemplars  pmetric.ExemplarSlice
}

// restates reports whether the point's start is its own time, which says that what was
// before is unknown. https://opentelemetry.io/docs/specs/otel/metrics/data-model/#cumulative-streams-handling-unknown-start-time
func (p *Point) restates() bool { return p.Start == p.Time }

// exemplars is the number of them.
func (p *Point) exemplars() int64 {
	if p.Exemplars == (pmetric.ExemplarSlice{}) {
		return 0
	}
	return int64(p.Exemplars.Len())
}

// Value is what a Read function made of a point.
type Value struct{ measure }

// Batch stages the points of one incoming batch. Not safe for concurrent use.
type Batch struct {
	table    *Table
	staged   []staged
	admitted map[uint64]*stream // states after the batch
	stats    Stats
}

type staged struct {
	Point
	to        *accumulator
	exemplars []exemplar
	promised  bool // see stream.promised
}

// Batch returns an empty batch.
func (t *Table) Batch() *Batch { return &Batch{table: t} }

// Add stages p. Describe is called, under no lock, for the first point of an
// outgoing series.
func (b *Batch) Add(p Point, describe func() Series) {
	if b.TryAdd(p, describe) {
		return
	}
	b.table.refuse(p.Start)
	b.stats[StatRefused]++
	b.stats[StatRefusedStreams]++
	b.stats[StatExemplars] += p.exemplars()
}

// TryAdd is Add, but reports false and counts nothing if the outgoing series is a new one without room.
func (b *Batch) TryAdd(p Point, describe func() Series) bool {
	if p.Gauge && cmp.Or(p.GaugeAs, b.table.opts.Gauge) == GaugeDrop {
		b.stats[StatGauges]++
		b.stats[StatExemplars] += p.exemplars()
		return true
	}
	if p.Stale && !b.table.Knows(p.Stream) { // there is nothing to end
		b.stats[StatStale]++
		return true
	}
	to := b.table.open(p.Target, p.Value, describe)
	if to != nil {
		b.stage(p, to, false)
	}
	return to != nil
}

// stage takes a point for to, which is pinned.
func (b *Batch) stage(p Point, to *accumulator, promised bool) {
	s := staged{Point: p, to: to, promised: promised}
	if p.exemplars() > 0 {
		var dropped int64
		s.exemplars, dropped = readExemplars(p.Exemplars, p.Attributes, to.series.Attributes)
		b.stats[StatExemplars] += dropped
	}
	s.Attributes, s.Exemplars = pcommon.Map{}, pmetric.ExemplarSlice{} // of the incoming batch
	b.staged = append(b.staged, s)
}

// Drop counts what cannot be folded.
func (b *Batch) Drop(n Stats) { b.stats.Add(n) }

// Commit folds what is staged.
func (b *Batch) Commit() {
	if len(b.staged) == 0 && len(b.admitted) == 0 && b.stats == (Stats{}) {
		return
	}
	t := b.table
	t.commitAdmitted(b.admitted, &b.stats)
	now := t.opts.Now().UnixNano()
	for i := range b.staged {
		p := &b.staged[i]
		t.apply(p, now, &b.stats)
		p.to.unpin(now)
	}
	t.stats.add(b.stats)
	b.staged, b.admitted, b.stats = nil, nil, Stats{}
}

// Discard forgets what is staged: the batch will come again.
func (b *Batch) Discard() {
	for i := range b.staged {
		b.staged[i].to.unpin(0)
	}
	b.staged, b.admitted, b.stats = nil, nil, Stats{}
}

// apply folds one point.
func (t *Table) apply(p *staged, now int64, n *Stats) {
	folded, told := true, int64(0)
	switch {
	case p.to.repeats():
		folded, told = t.applyCumulative(p, now, n)
	case p.Stale:
		n[StatStale]++
		return
	default:
		p.to.observe(&p.Point, n)
		n[StatFolded]++
	}
	switch {
	case len(p.exemplars) == 0:
	case folded:
		t.keep(p.to, p.exemplars, told, n)
	default:
		n[StatExemplars] += int64(len(p.exemplars))
	}
}
