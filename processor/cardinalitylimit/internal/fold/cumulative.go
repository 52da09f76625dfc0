package fold

// applyCumulative folds a point of a stream that has a state. The lock is held.
func (t *Table) applyCumulative(p *Point, a *accumulator, now int64) {
	s := t.streams[p.Stream]
	switch {
	case p.Stale:
		t.stats.Stale++
		if s != nil && s.contributes() {
			s.ended = true
			s.to.live--
		}
		return
	case s == nil:
		t.first(p, a, now)
		return
	case p.Time <= s.time:
		t.stats.OutOfOrder++
		return
	}
	if !s.contributes() {
		s.ended, s.admitted, s.offset = false, false, nil
		s.to.live++
	}
	if s.to != a { // another limit folds the stream now
		s.to.refs--
		s.to.live--
		a.refs++
		a.live++
		s.to = a
	}
	if a.method == addGrowth {
		t.grow(p, s, a)
	}
	t.stats.Folded++
	s.start, s.time, s.seen, s.last = p.Start, p.Time, now, p.Value.measure
	t.charge(p.Stream, s)
}

// first folds the first point of a stream. It counts in full only if all of it was
// observed in our time and none of it can have left before; otherwise what follows
// counts from it on.
func (t *Table) first(p *Point, a *accumulator, now int64) {
	bytes := stateBytes(p.Value)
	if !t.reserve(bytes) {
		a.horizon = max(a.horizon, p.Start)
		t.stats.Refused++
		t.stats.RefusedStreams++
		return
	}
	t.streams[p.Stream] = &stream{to: a, start: p.Start, time: p.Time, seen: now, last: p.Value.measure, bytes: bytes}
	t.tracked.Add(1)
	a.refs++
	a.live++
	t.stats.Folded++
	if a.method != addGrowth {
		return
	}
	if p.Start >= a.origin && p.Start > max(a.horizon, p.Horizon) {
		a.merge(p.Value.measure, &t.stats)
		return
	}
	t.stats.Unbaselined++
	a.baseline(p.Value.measure)
}

// baseline gives an accumulator without a value the layout of v and nothing else:
// the series begins at zero.
func (a *accumulator) baseline(v measure) {
	if a.value == nil {
		a.value, _ = v.since(v)
	}
}

// grow adds what the stream has grown by since its last point. A changed start or
// a lower value is a reset, of which everything is new.
func (t *Table) grow(p *Point, s *stream, a *accumulator) {
	if p.Start != s.start {
		a.merge(p.Value.measure, &t.stats)
		return
	}
	switch d, is := p.Value.since(s.last); is {
	case grown:
		a.merge(d, &t.stats)
	case reset:
		a.merge(p.Value.measure, &t.stats)
	case incomparable:
		t.stats.Unbaselined++
		a.baseline(p.Value.measure)
	}
}

// stateBytes is what a stream's state takes: its last value and, once admitted, the
// offset.
func stateBytes(v Value) int { return streamBytes + 2*v.bytes() }

// charge reserves for a stream whose values have become larger, or forgets it.
func (t *Table) charge(id uint64, s *stream) {
	more := stateBytes(Value{s.last}) - s.bytes
	if more <= 0 {
		return
	}
	if !t.opts.Budget.Reserve(more) {
		s.to.horizon = max(s.to.horizon, s.start)
		t.stats.RefusedStreams++
		t.forget(id, s)
		return
	}
	s.bytes += more
}
