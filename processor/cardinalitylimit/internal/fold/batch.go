package fold

import (
	"cmp"
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// Point is an observation to be folded.
type Point struct {
	Target uint64 // identity of the outgoing series
	Stream uint64 // identity of the point's own series
	Start  int64  // ns since the epoch, 0 unknown
	Time   int64  // ns since the epoch
	Writer uint64 // identity of resource, scope and metric; 0 unknown
	// Horizon is the time, in ns since the epoch, until which unknown series may have left as themselves. LostPlace is true if
	// the stream left as itself before.
	Horizon   int64
	LostPlace bool
	Stale     bool // NoRecordedValue: the stream ends, and the point has no value
	Gauge     bool // the point is a gauge, which is folded as GaugeAs or, if that is zero, as Options.Gauge
	GaugeAs   Gauge
	// Baseline is true if the value is not counted when this is the first point of its stream.
	Baseline bool
	Value    Value
	// Both are set or none. They are only read before Add or Admit returns.
	Attributes pcommon.Map
	Exemplars  pmetric.ExemplarSlice
}

// restates reports whether the point's start is its own time, which says that what was
// before is unknown. https://opentelemetry.io/docs/specs/otel/metrics/data-model/#cumulative-streams-handling-unknown-start-time
func (p *Point) restates() bool { return p.Start == p.Time }

// exemplars returns the number of exemplars.
func (p *Point) exemplars() int64 {
	if p.Exemplars == (pmetric.ExemplarSlice{}) {
		return 0
	}
	return int64(p.Exemplars.Len())
}

// Value is the value of a point, made by a Read function.
type Value struct{ measure }

// Batch stages the points of one incoming batch. It is not safe for concurrent use.
type Batch struct {
	table    *Table
	staged   []staged
	admitted map[uint64]*stream // states after the batch
	stats    Stats

	current   sighting // of the points at hand
	sightings []sighting
	sizes     []float64 // scratch
}

type staged struct {
	Point
	to        *accumulator
	exemplars []exemplar
	hasPlace  bool    // see stream.passAfterCut
	grown     float64 // size of what the stream has grown by, 0: not known
}

// Batch returns an empty batch.
func (t *Table) Batch() *Batch {
	return &Batch{table: t, sightings: make([]sighting, 0, usualSightings)}
}

// usualSightings is the usual number of metrics per batch.
const usualSightings = 16

// Add stages p. Describe is called for the first point of an outgoing series, while no lock is held.
func (b *Batch) Add(p Point, describe func() Series) {
	if b.TryAdd(p, describe) {
		return
	}
	b.table.remember(p.Stream)
	b.stats[StatRefused]++
	b.stats[StatRefusedStreams]++
	b.stats[StatExemplars] += p.exemplars()
}

// TryAdd is Add. If a new outgoing series finds no memory, it returns false and counts nothing.
func (b *Batch) TryAdd(p Point, describe func() Series) bool {
	if p.Gauge && cmp.Or(p.GaugeAs, b.table.opts.Gauge) == GaugeDrop {
		b.stats[StatGauges]++
		b.stats[StatExemplars] += p.exemplars()
		return true
	}
	if p.Stale && !b.table.Knows(p.Stream) { // no stream to end
		b.stats[StatStale]++
		return true
	}
	to := b.table.open(p.Target, p.Value, describe)
	if to != nil {
		b.stage(p, to, false)
	}
	return to != nil
}

// stage stages a point for to, which is pinned.
func (b *Batch) stage(p Point, to *accumulator, hasPlace bool) {
	s := staged{Point: p, to: to, hasPlace: hasPlace}
	if p.exemplars() > 0 {
		var dropped int64
		s.exemplars, dropped = readExemplars(p.Exemplars, p.Attributes, to.series.Attributes)
		b.stats[StatExemplars] += dropped
	}
	s.Attributes, s.Exemplars = pcommon.Map{}, pmetric.ExemplarSlice{} // they belong to the incoming batch
	b.staged = append(b.staged, s)
}

// Drop counts points that cannot be folded.
func (b *Batch) Drop(n Stats) { b.stats.Add(n) }

// Commit folds what is staged.
func (b *Batch) Commit() {
	t := b.table
	t.commits.RLock()
	defer t.commits.RUnlock()
	now := t.opts.Now().UnixNano()
	b.seen()
	t.see(b.sightings, now)
	t.commitAdmitted(b.admitted, &b.stats)
	// By writer; points of one stream stay in their order.
	slices.SortStableFunc(b.staged, func(a, c staged) int { return cmp.Compare(a.Writer, c.Writer) })
	for rest := b.staged; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].Writer == rest[0].Writer {
			n++
		}
		b.fold(rest[:n], now)
		rest = rest[n:]
	}
	t.stats.add(b.stats)
	b.reset()
}

// fold folds the points of one writer. It first folds the points of known streams, because their growth shows how large the
// first value of a new stream can be.
func (b *Batch) fold(points []staged, now int64) {
	t, id := b.table, points[0].Writer
	e := noEvidence(t.writers.serial(id))
	b.sizes = b.sizes[:0]
	var firsts []*staged
	for i := range points {
		p := &points[i]
		if p.to.method == addGrowth && !p.Stale && t.begins(&p.Point) {
			p.grown = p.Value.size()
			firsts = append(firsts, p)
		} else {
			t.apply(p, now, &e, &b.stats)
		}
		if p.grown > 0 {
			b.sizes = append(b.sizes, p.grown)
		}
	}
	if len(b.sizes) > 0 || len(firsts) > 0 {
		e = t.learn(id, b.sizes)
	}
	for _, p := range firsts {
		t.apply(p, now, &e, &b.stats)
	}
	for i := range points {
		points[i].to.unpin(now)
	}
}

func (b *Batch) reset() {
	b.staged, b.admitted, b.stats = nil, nil, Stats{}
	b.current, b.sightings = sighting{}, b.sightings[:0]
}

// See counts a point of a writer, whether or not it is folded. The points of one writer must come together.
func (b *Batch) See(writer uint64, at int64) {
	if s := &b.current; s.writer == writer && s.newest == at { // most points have the time of the one before
		s.points++
		return
	}
	b.see(writer, at)
}

func (b *Batch) see(writer uint64, at int64) {
	if b.current.writer == writer && b.current.add(at) {
		return
	}
	b.seen()
	b.current = sighting{writer: writer, newest: at, points: 1}
}

// seen ends the current sighting.
func (b *Batch) seen() {
	if b.current.points > 0 {
		b.sightings = append(b.sightings, b.current)
	}
	b.current = sighting{}
}

// Discard removes the staged points, because the batch will come again.
func (b *Batch) Discard() {
	for i := range b.staged {
		b.staged[i].to.unpin(0)
	}
	b.reset()
}

// apply folds one point.
func (t *Table) apply(p *staged, now int64, e *evidence, n *Stats) {
	folded, heardUntil := true, int64(0)
	switch {
	case p.to.repeats():
		folded, heardUntil = t.applyCumulative(p, now, e, n)
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
		t.keep(p.to, p.exemplars, heardUntil, n)
	default:
		n[StatExemplars] += int64(len(p.exemplars))
	}
}
