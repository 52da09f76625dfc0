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

// Add stages p. Describe is called for the first point of an outgoing series.
func (b *Batch) Add(p Point, describe func() Series) {
	t := b.table
	if p.Gauge && t.opts.Gauge == GaugeDrop {
		b.stats.Gauges++
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	to := t.open(p.Target, p.Value, describe)
	if to == nil {
		t.horizon = max(t.horizon, p.Start)
		b.stats.Refused++
		b.stats.RefusedStreams++
		return
	}
	to.pins++
	b.staged = append(b.staged, staged{p, to})
}

// Drop counts points that cannot be folded.
func (b *Batch) Drop(n Stats) { b.stats.Add(n) }

// Commit folds what is staged.
func (b *Batch) Commit() {
	if len(b.staged) == 0 && len(b.admitted) == 0 && b.stats == (Stats{}) {
		return
	}
	t := b.table
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stats.Add(b.stats)
	t.commitAdmitted(b.admitted)
	now := t.opts.Now().UnixNano()
	for i := range b.staged {
		p := &b.staged[i]
		p.to.pins--
		p.to.seen = max(p.to.seen, now)
		t.apply(&p.Point, p.to, now)
	}
	b.staged, b.admitted, b.stats = nil, nil, Stats{}
}

// Discard forgets what is staged: the batch will come again.
func (b *Batch) Discard() {
	t := b.table
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range b.staged {
		b.staged[i].to.pins--
	}
	b.staged, b.admitted, b.stats = nil, nil, Stats{}
}

// apply folds one point. The lock is held.
func (t *Table) apply(p *Point, a *accumulator, now int64) {
	switch a.method {
	case addDelta, replaceLast, replaceMin, replaceMax:
		switch {
		case p.Stale:
			t.stats.Stale++
			return
		case a.method == addDelta:
			a.merge(p.Value.measure, &t.stats)
			a.span(p.Start, p.Time)
		default:
			a.replace(p.Value.measure, p.Time)
		}
		t.stats.Folded++
	default:
		t.applyCumulative(p, a, now)
	}
}
