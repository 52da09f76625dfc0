package fold

// applyCumulative folds a point of a stream that has a state, and tells whether it did
// and until when the stream has been heard before.
func (t *Table) applyCumulative(p *staged, now int64, e *evidence, n *Stats) (folded bool, told int64) {
	a := p.to
	in := t.shard(p.Stream)
	in.mu.Lock()
	defer in.mu.Unlock()
	s := in.streams[p.Stream]
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
	place := ownOrigin
	if a.method == addGrowth {
		place = s.find(&p.Point)
	}
	if p.Time <= s.heard(place) {
		n[StatOutOfOrder]++
		return false, 0
	}
	if s.to != a || !s.contributes() { // another limit folds it now, or one does again
		s.leave()
		s.join(a)
	}
	told = s.time
	if a.method == addGrowth {
		if !s.turnTo(place, &p.Point) { // more writers than it can distinguish
			n[StatUnbaselined]++
			return false, 0
		}
		if told = s.time; place == earlierOrigin {
			told = 0
			a.begin(&p.Point, !p.Baseline && !s.uncertain && t.isNew(&p.Point, e), n)
		} else {
			p.grown = a.advance(&p.Point, s, n)
		}
	}
	s.met(p, e)
	s.uncertain = false
	switch {
	case !p.promised:
		s.promised = 0
	case s.promised == 0:
		s.promised = asked
	}
	n[StatFolded]++
	s.start, s.time, s.seen, s.last = p.Start, p.Time, now, p.Value.measure
	t.charge(in, p.Stream, s, n)
	return true, told
}

// first folds the first point of a stream. The shard's lock is held.
func (t *Table) first(in *shard, p *Point, a *accumulator, now int64, e *evidence, n *Stats) (folded bool) {
	bytes := stateBytes(p.Value)
	if !t.reserve(bytes) {
		t.remember(p.Stream)
		n[StatRefused]++
		n[StatRefusedStreams]++
		return false
	}
	s := &stream{
		start: p.Start, time: p.Time, seen: now, last: p.Value.measure, bytes: bytes,
		writer: p.Writer, serial: e.serial, streak: 1,
	}
	s.join(a)
	in.streams[p.Stream] = s
	in.known.Add(1)
	n[StatFolded]++
	if a.method == addGrowth {
		a.begin(p, !p.Baseline && t.isNew(p, e), n)
	}
	return true
}

// isNew reports whether no part of a stream's first value has been counted or has left
// before: by the stream's start, or because its writer would have shown it earlier.
func (t *Table) isNew(p *Point, e *evidence) bool {
	unknown := max(t.unknown.Load(), p.Horizon)
	switch {
	case p.restates() || p.LostPlace || t.forgotten.has(p.Stream):
		return false
	case p.Start > unknown || p.Start != 0 && p.Start > e.before:
		return true
	default:
		return t.opts.FirstValue == FirstEvidence && e.begun > unknown && p.Value.size() <= e.most
	}
}

// begin adds the first value of a stream: in full if the stream is new, otherwise as
// the value to count from.
func (a *accumulator) begin(p *Point, isNew bool, n *Stats) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if isNew {
		a.grow(p.Value.measure, n)
		return
	}
	n[StatUnbaselined]++
	a.baseline(p.Value.measure)
}

// advance adds what the stream has grown by since its last point and returns its size.
func (a *accumulator) advance(p *Point, s *stream, n *Stats) (size float64) {
	d, rel := s.growth(p)
	if rel == reset {
		d = p.Value.measure
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if rel == unknown || s.uncertain {
		n[StatUnbaselined]++
		a.baseline(p.Value.measure)
		return 0
	}
	a.grow(d, n)
	return d.size()
}

// growth returns what the stream has grown by at p. A changed start or a lower value is
// a reset, so its whole value is new. A point that restates its stream goes on from
// the last one, or says nothing about the growth if it is lower.
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
