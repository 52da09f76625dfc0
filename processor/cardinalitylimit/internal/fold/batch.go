package fold

// Point is an observation to be folded.
type Point struct {
	Target  uint64 // identity of the outgoing series
	Stream  uint64 // identity of the point's own series
	Start   int64  // ns since the epoch, 0 unknown
	Time    int64  // ns since the epoch
	Horizon int64  // see accumulator.horizon
	Stale   bool   // NoRecordedValue: the stream ends; no value
	Gauge   bool   // subject to Options.Gauge
	Value   Value
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
	to *accumulator
}

// Batch returns an empty batch.
func (t *Table) Batch() *Batch { return &Batch{table: t} }

// Add stages p. Describe is called, under no lock, for the first point of an
// outgoing series.
func (b *Batch) Add(p Point, describe func() Series) {
	if p.Gauge && b.table.opts.Gauge == GaugeDrop {
		b.stats.Gauges++
		return
	}
	to := b.table.open(p.Target, p.Value, describe)
	if to == nil {
		b.table.refuse(p.Start)
		b.stats.Refused++
		b.stats.RefusedStreams++
		return
	}
	b.staged = append(b.staged, staged{p, to})
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
		t.apply(&p.Point, p.to, now, &b.stats)
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

// apply folds one point into a, which is pinned.
func (t *Table) apply(p *Point, a *accumulator, now int64, n *Stats) {
	switch {
	case a.repeats():
		t.applyCumulative(p, a, now, n)
	case p.Stale:
		n.Stale++
	default:
		a.observe(p, n)
		n.Folded++
	}
}
