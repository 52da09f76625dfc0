package fold

// Admitted is the form in which a passing cumulative point is sent.
type Admitted struct {
	Value Value // unchanged if Same
	Start int64
	Same  bool // send the unchanged point
	Drop  bool // send nothing, because the growth of the point is folded now or was folded before
}

var same = Admitted{Same: true}

// Admit decides how the point of a stream that was folded and has a place now is sent. The growth until its last folded time
// stays in the overflow series. The stream continues with its growth from then on and starts at that time. Its state changes
// with the commit of the batch. If cuts are stored, the stream stays folded until a stored cut contains that it has a place.
func (b *Batch) Admit(p Point) Admitted {
	s := b.stateOf(p.Stream)
	if s == nil {
		return same
	}
	if s.to.method != addGrowth { // the stream no longer counts in the sum of live streams
		s.admitted = true
		b.admit(p.Stream, s)
		return same
	}
	index := s.findOrigin(&p)
	if p.Time <= s.lastTime(index) {
		return b.repeated(s, index, &p)
	}
	if !s.admitted {
		if !b.table.mayPass(s) {
			return b.foldOnce(p)
		}
		s.beginPassing()
	}
	last := s.time
	if !s.switchTo(index, &p) { // more writers than a stream distinguishes: their points pass unchanged
		return same
	}
	switch index {
	case laterOrigin:
		s.offset, s.floor = nil, last
	case earlierOrigin: // a writer whose points were never folded
		s.offset, s.floor = nil, 0
	default:
		b.rebase(s, &p)
	}
	s.start, s.time, s.seen, s.last = p.Start, p.Time, b.table.opts.Now().UnixNano(), p.Value.measure
	b.admit(p.Stream, s)
	return s.rebase(p.Start, p.Value)
}

// rebase resets the offset if p does not continue from the last point of its origin.
func (b *Batch) rebase(s *stream, p *Point) {
	switch _, rel := s.growth(p); {
	case rel == reset:
		s.offset, s.floor = nil, s.time
	case rel == unknown && s.offset != nil: // the growth from here on is sent
		s.offset, s.floor = p.Value.measure, s.time
		b.stats[StatUnbaselined]++
	}
}

// mayPass reports whether the folded stream may pass. If cuts are stored, a stored cut must contain that the stream has a
// place.
func (t *Table) mayPass(s *stream) bool {
	return !t.opts.Durable || s.passAfterCut != 0 && s.passAfterCut <= t.stored.Load()
}

// foldOnce folds a point of a stream that has a place but may not pass yet. The next cut contains that the stream has a place.
func (b *Batch) foldOnce(p Point) Admitted {
	in := b.table.shard(p.Stream)
	in.mu.Lock()
	s := in.streams[p.Stream]
	if s == nil { // forgotten meanwhile
		in.mu.Unlock()
		return same
	}
	to := s.to
	to.pin()
	in.mu.Unlock()
	st := b.stage(&p, to)
	st.pins, st.hasPlace = true, true
	return Admitted{Drop: true}
}

// Unreadable decides on a passing point whose value cannot be read. It returns true if the point must be dropped, because a
// part of its stream was folded. Then it counts the problem.
func (b *Batch) Unreadable(id uint64, problem Stat) (drop bool) {
	s := b.stateOf(id)
	if s == nil || s.to.method != addGrowth {
		return false
	}
	b.stats[problem]++
	return true
}

// stateOf returns the state of a stream after the points of the batch until now, or nil if it has none. Only this batch sees
// the state.
func (b *Batch) stateOf(id uint64) *stream {
	if s := b.admitted[id]; s != nil {
		return s
	}
	in := b.table.shard(id)
	in.mu.Lock()
	defer in.mu.Unlock()
	known := in.streams[id]
	if known == nil {
		return nil
	}
	s := *known
	return &s
}

func (b *Batch) admit(id uint64, s *stream) {
	if b.admitted == nil {
		b.admitted = make(map[uint64]*stream)
	}
	b.admitted[id] = s
}

// repeated decides on a point that is not newer than the last one. Its time is before the stream got a place, or it was sent
// twice.
func (b *Batch) repeated(s *stream, index int, p *Point) Admitted {
	o := s.currentOrigin()
	if index >= 0 {
		o = s.others[index]
	}
	if s.admitted && p.Start == o.start && p.Time > o.floor {
		if a := o.rebase(p.Start, p.Value); !a.Drop {
			return a
		}
	}
	b.stats[StatOutOfOrder]++
	return Admitted{Drop: true}
}

func (s *stream) rebase(start int64, v Value) Admitted {
	o := s.currentOrigin()
	return o.rebase(start, v)
}

// rebase returns the form in which a value of the origin is sent.
func (o *origin) rebase(start int64, v Value) Admitted {
	a := Admitted{Value: v, Start: max(start, o.floor)}
	if o.offset == nil {
		return a
	}
	d, rel := v.since(o.offset)
	if rel == reset { // the value was restated since then
		d, rel = v.restated(o.offset)
	}
	if rel != grown {
		return Admitted{Drop: true}
	}
	a.Value = Value{d}
	return a
}

// commitAdmitted copies the states of the batch to the table.
func (t *Table) commitAdmitted(states map[uint64]*stream, n *Stats) {
	for id, to := range states {
		in := t.shard(id)
		in.mu.Lock()
		if s := in.streams[id]; s != nil { // not forgotten meanwhile
			t.admitted(in, id, s, to, n)
		}
		in.mu.Unlock()
	}
}

// admitted sets the state of s to that of to. The caller holds the lock of the shard.
func (t *Table) admitted(in *shard, id uint64, s, to *stream, n *Stats) {
	s.pause()
	s.ended, s.admitted = to.ended, true
	if s.to.method != addGrowth {
		t.forget(in, id, s)
		return
	}
	s.start, s.time, s.seen, s.last = to.start, to.time, to.seen, to.last
	s.offset, s.floor, s.uncertain, s.passAfterCut = to.offset, to.floor, false, 0
	s.others = to.others
	t.charge(in, id, s, n)
}
