package fold

// applyCumulative folds a point of a stream with state. S is the state, or nil before the first point. It reports whether it
// folded the point, and the time of the point before in the same stream. The caller holds the lock of the shard.
func (t *Table) applyCumulative(in *shard, s *stream, p *staged, now int64, e *evidence, n *Stats) (folded bool, heardUntil int64) {
	a := p.to
	switch {
	case p.Stale:
		n[StatStale]++
		if s != nil && s.contributes() {
			s.pause()
			s.ended = true
		}
		return false, 0
	case s == nil:
		return t.first(in, &p.Point, a, now, e, n), 0
	}
	index := ownOrigin
	if a.method == addGrowth {
		index = s.findOrigin(&p.Point)
	}
	if p.Time <= s.lastTime(index) {
		n[StatOutOfOrder]++
		return false, 0
	}
	if s.to != a || !s.contributes() { // another limit folds the stream now, or a limit folds it again
		s.leave()
		s.join(a)
	}
	heardUntil = s.time
	if a.method == addGrowth {
		if !s.switchTo(index, &p.Point) { // more writers than a stream distinguishes
			n[StatUnbaselined]++
			return false, 0
		}
		if heardUntil = s.time; index == earlierOrigin {
			heardUntil = 0
			a.begin(&p.Point, !p.Baseline && !s.uncertain && t.isNew(&p.Point, e), n)
		} else {
			p.grown = a.advance(&p.Point, s, n)
		}
	}
	s.noteCollection(p, e)
	s.uncertain = false
	switch {
	case !p.hasPlace:
		s.passAfterCut = 0
	case s.passAfterCut == 0:
		s.passAfterCut = nextCut
	}
	n[StatFolded]++
	s.start, s.time, s.seen, s.last = p.Start, p.Time, now, p.Value.measure
	t.charge(in, p.Stream, s, n)
	return true, heardUntil
}

// first folds the first point of a stream. The caller holds the lock of the shard.
func (t *Table) first(in *shard, p *Point, a *accumulator, now int64, e *evidence, n *Stats) (folded bool) {
	bytes := stateBytes(p.Value)
	if !t.reserve(bytes) {
		t.rememberForgotten(p.Stream)
		n[StatRefused]++
		n[StatRefusedStreams]++
		return false
	}
	s := &stream{
		start: p.Start, time: p.Time, seen: now, last: p.Value.measure, bytes: bytes,
		writer: p.Writer, serial: e.serial, streak: 1,
	}
	s.join(a)
	in.add(p.Stream, s)
	n[StatFolded]++
	if a.method == addGrowth {
		a.begin(p, !p.Baseline && t.isNew(p, e), n)
	}
	return true
}

// isNew reports whether the first value of a stream is growth, because no part of it was counted or sent before. The start of
// the stream decides, or the evidence of its writer.
func (t *Table) isNew(p *Point, e *evidence) bool {
	unknown := max(t.unknownUntil.Load(), p.Horizon)
	switch {
	case p.restates() || p.LostPlace || t.forgotten.has(p.Stream):
		return false
	case p.Start > unknown || p.Start != 0 && p.Start > e.before:
		return true
	default:
		return t.opts.FirstValue == FirstEvidence && e.begun > unknown && p.Value.size() <= e.most
	}
}

// begin adds the first value of a stream. If the stream is new it adds the whole value. Otherwise the value is a baseline.
func (a *accumulator) begin(p *Point, isNew bool, n *Stats) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if isNew && !isNegative(p.Value.measure) {
		a.grow(p.Value.measure, n)
		return
	}
	n[StatUnbaselined]++
	a.baseline(p.Value.measure)
}

// isNegative reports whether a number is below zero. A monotonic sum counts from zero on, so such a whole value contradicts
// itself. It is a baseline, because an outgoing sum must not decrease.
func isNegative(m measure) bool {
	v, ok := m.(*number)
	return ok && v.less(&number{})
}

// advance adds the growth of the stream since its last point and returns its size.
func (a *accumulator) advance(p *Point, s *stream, n *Stats) (size float64) {
	d, rel := s.growth(p)
	if rel == reset {
		d = p.Value.measure
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if rel == unknown || s.uncertain || isNegative(d) {
		n[StatUnbaselined]++
		a.baseline(p.Value.measure)
		return 0
	}
	a.grow(d, n)
	return d.size()
}

// growth returns the growth of the stream at p. A changed start or a lower value is a reset, so the whole value is growth. A
// point that restates its stream continues from the last point. If it is lower, the growth is unknown.
func (s *stream) growth(p *Point) (d measure, rel relation) {
	switch {
	case p.restates():
		if d, rel = p.Value.restated(s.last); rel == reset {
			rel = unknown
		}
		return d, rel
	case p.Start == s.start:
		return p.Value.since(s.last)
	default:
		return nil, reset
	}
}
