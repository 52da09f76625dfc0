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

// restates reports whether the point's start is its own time. Such a point means that the value before is unknown.
// https://opentelemetry.io/docs/specs/otel/metrics/data-model/#cumulative-streams-handling-unknown-start-time
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

// room returns the number of bytes that an outgoing series needs for the value. It is 0 for the value of a stale point.
func (v Value) room() int {
	if v.measure == nil {
		return 0
	}
	return v.bytes()
}

// Batch stages the points of one incoming batch. It is not safe for concurrent use.
type Batch struct {
	table    *Table
	*staging // nil before the first staged point
	last     lastSeries
	admitted map[uint64]*stream // states after the batch
	stats    Stats

	part  collectionPart // of the points at hand
	parts []collectionPart
}

// lastSeries is the outgoing series of the last staged point. Neighbours are often folded into the same series.
type lastSeries struct {
	target uint64
	to     *accumulator // nil: none
	room   int          // minimum number of bytes reserved for a value
}

// staging is the memory for the staged points of a batch: 200 KB for 1,000 points. It is pooled.
type staging struct {
	staged []staged
	runs   []run     // of the staged points; set by Commit
	sizes  []float64 // growth of the streams of a writer
	firsts []*staged // first points of streams of a writer
}

// run is a sequence of consecutive staged points of one writer.
type run struct {
	writer uint64
	begin  int // index of the first point
}

// maxPooled is the maximum capacity, in points, of a pooled staging. It is also the maximum capacity, in parts, of a pooled batch.
const maxPooled = 8192

type staged struct {
	Point
	to        *accumulator
	exemplars []exemplar
	pins      bool    // the point has pinned its accumulator
	hasPlace  bool    // see stream.passAfterCut
	grown     float64 // size of the growth of the stream; 0: not known
}

// Batch returns an empty batch. End returns it to the table.
func (t *Table) Batch() *Batch {
	return t.batches.Get().(*Batch)
}

// End discards what is not committed, and returns the batch to the pool of its table. The caller must not use it afterwards. A nil batch is
// empty.
func (b *Batch) End() {
	if b == nil {
		return
	}
	if b.staging != nil {
		b.unpin(0)
	}
	b.reset()
	if cap(b.parts) <= maxPooled {
		b.table.batches.Put(b)
	}
}

// Add stages p. Describe is called for the first point of an outgoing series, while no lock is held.
func (b *Batch) Add(p Point, describe func() Series) {
	if b.TryAdd(p, describe) {
		return
	}
	b.table.rememberForgotten(p.Stream)
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
	if r := &b.last; r.to != nil && r.target == p.Target && p.Value.room() <= r.room {
		b.stage(&p, r.to)
		return true
	}
	to := b.table.findOrAdd(p.Target, p.Value, describe)
	if to == nil {
		return false
	}
	b.stage(&p, to).pins = true
	b.last = lastSeries{p.Target, to, p.Value.room()}
	return true
}

// stage stages a point for an accumulator that this point or another one of the batch has pinned.
func (b *Batch) stage(p *Point, to *accumulator) *staged {
	if b.staging == nil {
		b.staging = b.table.stagings.Get().(*staging)
	}
	n := len(b.staged)
	b.staged = slices.Grow(b.staged, 1)[:n+1]
	s := &b.staged[n]
	*s = staged{Point: *p, to: to}
	if p.exemplars() > 0 {
		var dropped int64
		s.exemplars, dropped = readExemplars(p.Exemplars, p.Attributes, to.series.Attributes)
		b.stats[StatExemplars] += dropped
	}
	s.Attributes, s.Exemplars = pcommon.Map{}, pmetric.ExemplarSlice{} // they belong to the incoming batch
	return s
}

// Drop counts points that cannot be folded.
func (b *Batch) Drop(n Stats) { b.stats.add(n) }

// Commit folds what is staged. A nil batch is empty.
func (b *Batch) Commit() {
	if b == nil {
		return
	}
	b.endPart()
	if b.isEmpty() {
		return
	}
	t := b.table
	t.commits.RLock()
	defer t.commits.RUnlock()
	now := t.opts.Now().UnixNano()
	t.noteParts(b.parts, now)
	t.commitAdmitted(b.admitted, &b.stats)
	b.foldStaged(now)
	t.stats.add(b.stats)
	b.reset()
}

// isEmpty reports whether there is nothing to commit, as in a batch of delta points that all pass.
func (b *Batch) isEmpty() bool {
	return b.staging == nil && len(b.parts) == 0 && len(b.admitted) == 0 && b.stats == Stats{}
}

// foldStaged folds the staged points by writer. Points of one stream stay in their order.
func (b *Batch) foldStaged(now int64) {
	if b.staging == nil {
		return
	}
	b.findRuns()
	for rest := b.runs; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].writer == rest[0].writer {
			n++
		}
		b.fold(rest[:n], now)
		rest = rest[n:]
	}
	b.unpin(now)
}

// findRuns finds the runs of the staged points and sorts them by writer, those of one writer in their order. The points
// themselves are large and stay in place.
func (b *Batch) findRuns() {
	b.runs = b.runs[:0]
	for i := range b.staged {
		if i == 0 || b.staged[i].Writer != b.staged[i-1].Writer {
			b.runs = append(b.runs, run{b.staged[i].Writer, i})
		}
	}
	slices.SortFunc(b.runs, func(x, y run) int {
		if x.writer != y.writer {
			return cmp.Compare(x.writer, y.writer)
		}
		return cmp.Compare(x.begin, y.begin)
	})
}

// fold folds the points of one writer. It first folds the points of known streams, because their growth shows how large the
// first value of a new stream can be.
func (b *Batch) fold(runs []run, now int64) {
	t, id := b.table, runs[0].writer
	e := noEvidence(t.writers.serial(id))
	b.sizes, b.firsts = b.sizes[:0], b.firsts[:0]
	for _, r := range runs {
		for i := r.begin; i < len(b.staged) && b.staged[i].Writer == id; i++ {
			b.foldKnown(&b.staged[i], now, &e)
		}
	}
	if len(b.sizes) > 0 || len(b.firsts) > 0 {
		e = t.learn(id, b.sizes)
	}
	for _, p := range b.firsts {
		t.apply(p, now, &e, &b.stats)
	}
}

// foldKnown folds a point, unless it is the first one of a stream. It notes first points and growth.
func (b *Batch) foldKnown(p *staged, now int64, e *evidence) {
	if !b.table.applyKnown(p, now, e, &b.stats) {
		p.grown = p.Value.size()
		b.firsts = append(b.firsts, p)
	}
	if p.grown > 0 {
		b.sizes = append(b.sizes, p.grown)
	}
}

// unpin gives back what the staged points have pinned, at our time now, 0 if nothing was folded.
func (b *Batch) unpin(now int64) {
	for i := range b.staged {
		if s := &b.staged[i]; s.pins {
			s.to.unpin(now)
		}
	}
}

func (b *Batch) reset() {
	if b.staging != nil {
		b.table.recycle(b.staging)
	}
	b.staging, b.last, b.admitted, b.stats = nil, lastSeries{}, nil, Stats{}
	b.part, b.parts = collectionPart{}, b.parts[:0]
}

// recycle returns a staging to the pool, without its points.
func (t *Table) recycle(s *staging) {
	if cap(s.staged) > maxPooled {
		return
	}
	clear(s.staged)
	clear(s.firsts[:cap(s.firsts)])
	s.staged = s.staged[:0]
	t.stagings.Put(s)
}

// NotePoint counts a point of a writer, whether or not it is folded. The points of one writer must come together.
func (b *Batch) NotePoint(writer uint64, at int64) {
	if s := &b.part; s.writer == writer && s.newest == at { // most points have the time of the one before
		s.points++
		return
	}
	b.notePoint(writer, at)
}

func (b *Batch) notePoint(writer uint64, at int64) {
	if b.part.writer == writer && b.part.add(at) {
		return
	}
	b.endPart()
	b.part = collectionPart{writer: writer, newest: at, points: 1}
}

// endPart ends the current part.
func (b *Batch) endPart() {
	if b.part.points > 0 {
		b.parts = append(b.parts, b.part)
	}
	b.part = collectionPart{}
}

// apply folds one point.
func (t *Table) apply(p *staged, now int64, e *evidence, n *Stats) {
	folded, heardUntil := true, int64(0)
	switch {
	case p.to.repeats():
		in := t.shard(p.Stream)
		in.mu.Lock()
		folded, heardUntil = t.applyCumulative(in, in.streams[p.Stream], p, now, e, n)
		in.mu.Unlock()
	case p.Stale:
		n[StatStale]++
		return
	default:
		p.to.observe(&p.Point, n)
		n[StatFolded]++
	}
	t.applyExemplars(p, folded, heardUntil, n)
}

// applyKnown is apply, but it does nothing and returns false for the first point of a stream, or of an earlier start of it.
func (t *Table) applyKnown(p *staged, now int64, e *evidence, n *Stats) (known bool) {
	if p.to.method != addGrowth || p.Stale {
		t.apply(p, now, e, n)
		return true
	}
	in := t.shard(p.Stream)
	in.mu.Lock()
	s := in.streams[p.Stream]
	if s.begins(&p.Point) {
		in.mu.Unlock()
		return false
	}
	folded, heardUntil := t.applyCumulative(in, s, p, now, e, n)
	in.mu.Unlock()
	t.applyExemplars(p, folded, heardUntil, n)
	return true
}

// applyExemplars offers the exemplars of a point to its accumulator. It drops them if the point was not folded.
func (t *Table) applyExemplars(p *staged, folded bool, heardUntil int64, n *Stats) {
	switch {
	case len(p.exemplars) == 0:
	case folded:
		t.offerExemplars(p.to, p.exemplars, heardUntil, n)
	default:
		n[StatExemplars] += int64(len(p.exemplars))
	}
}
