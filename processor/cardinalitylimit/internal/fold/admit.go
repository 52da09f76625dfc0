package fold

// Admitted is what downstream shall see of a cumulative point that passes.
type Admitted struct {
	Value Value // unchanged if Same
	Start int64
	Same  bool // pass the point as it came
	Drop  bool // its growth is folded, or has been already
}

var same = Admitted{Same: true}

// Admit takes the point of a stream that was folded and has a place now: what it grew
// to while folded stays with the overflow series, and it goes on from there, starting
// at its last folded time. The stream's state changes with the commit of the batch.
// Where cuts are stored the stream is folded until one says that it has a place.
func (b *Batch) Admit(p Point) Admitted {
	s := b.stateOf(p.Stream)
	if s == nil {
		return same
	}
	if s.to.method != addGrowth { // no longer part of the live sum
		s.admitted = true
		b.admit(p.Stream, s)
		return same
	}
	place := s.find(&p)
	if p.Time <= s.heard(place) {
		return b.again(s, place, &p)
	}
	if !s.admitted {
		if !b.table.mayPass(s) {
			return b.foldOnce(p)
		}
		s.passFromHere()
	}
	last := s.time
	if !s.turnTo(place, &p) { // more writers than it can distinguish: they pass unchanged
		return same
	}
	switch place {
	case laterOrigin:
		s.offset, s.floor = nil, last
	case earlierOrigin: // a writer that was never folded
		s.offset, s.floor = nil, 0
	default:
		b.goOn(s, &p)
	}
	s.start, s.time, s.seen, s.last = p.Start, p.Time, b.table.opts.Now().UnixNano(), p.Value.measure
	b.admit(p.Stream, s)
	return s.rebase(p.Start, p.Value)
}

// goOn begins anew where p does not go on from the last point of its origin.
func (b *Batch) goOn(s *stream, p *Point) {
	switch _, is := s.growth(p); {
	case is == reset:
		s.offset, s.floor = nil, s.time
	case is == unknown && s.offset != nil: // with what it grows by from here on
		s.offset, s.floor = p.Value.measure, s.time
		b.stats[StatUnbaselined]++
	}
}

// mayPass tells whether it is stored that the folded stream has a place, if anything is.
func (t *Table) mayPass(s *stream) bool {
	return !t.opts.Durable || s.promised != 0 && s.promised <= t.stored.Load()
}

// foldOnce folds a point that has a place where its stream is folded, and asks for that
// to be stored.
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
	st.pins, st.promised = true, true
	return Admitted{Drop: true}
}

// Unreadable tells whether a point that passes shall be dropped since its value cannot
// be read, which the problem counts: downstream has a part of its stream only.
func (b *Batch) Unreadable(id uint64, problem Stats) (drop bool) {
	s := b.stateOf(id)
	if s == nil || s.to.method != addGrowth {
		return false
	}
	b.stats.Add(problem)
	return true
}

// stateOf is a stream's state after the points of the batch until now, or nil where
// it has none. The batch alone sees it.
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

// again answers for a point that is not newer than the last: of the time before
// the stream was admitted, or sent twice.
func (b *Batch) again(s *stream, place int, p *Point) Admitted {
	o := s.own()
	if place >= 0 {
		o = s.others[place]
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
	o := s.own()
	return o.rebase(start, v)
}

// rebase is what downstream shall see of a value.
func (o *origin) rebase(start int64, v Value) Admitted {
	a := Admitted{Value: v, Start: max(start, o.floor)}
	if o.offset == nil {
		return a
	}
	d, is := v.since(o.offset)
	if is == reset { // restated since
		d, is = v.restated(o.offset)
	}
	if is != grown {
		return Admitted{Drop: true}
	}
	a.Value = Value{d}
	return a
}

// commitAdmitted makes the states of the batch those of the table.
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

// admitted makes the state of s that of to. The shard's lock is held.
func (t *Table) admitted(in *shard, id uint64, s, to *stream, n *Stats) {
	s.pause()
	s.ended, s.admitted = to.ended, true
	if s.to.method != addGrowth {
		t.forget(in, id, s)
		return
	}
	s.start, s.time, s.seen, s.last = to.start, to.time, to.seen, to.last
	s.offset, s.floor, s.uncertain, s.promised = to.offset, to.floor, false, 0
	s.others = to.others
	t.charge(in, id, s, n)
}
