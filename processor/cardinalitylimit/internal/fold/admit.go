package fold

// Admitted is what downstream shall see of a cumulative point that passes.
type Admitted struct {
	Value Value // unchanged if Same
	Start int64
	Same  bool // pass the point as it came
	Drop  bool // its growth has been folded already
}

var same = Admitted{Same: true}

// Quiet tells that no stream has a state, so that Admit would say Same. Streams of
// which a point is folded at this moment are not covered, as they would not be by
// another order of arrival.
func (t *Table) Quiet() bool { return t.tracked.Load() == 0 }

// Admit takes a stream that was folded and has a place now: what it grew to while
// folded stays with the overflow series, and it goes on from there, starting at
// its last folded time. The stream's state changes with the commit of the batch.
func (b *Batch) Admit(id uint64, start, time int64, v Value) Admitted {
	t := b.table
	s := b.admitted[id]
	if s == nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		known := t.streams[id]
		if known == nil {
			return same
		}
		c := *known
		s = &c
	}
	if s.to.method != addGrowth { // no longer part of the live sum
		s.admitted = true
		b.admit(id, s)
		return same
	}
	if time <= s.time {
		return b.again(s, start, v)
	}
	if !s.admitted {
		s.ended, s.admitted, s.offset, s.floor = false, true, s.last, s.time
	}
	if start != s.start {
		s.offset, s.floor = nil, s.time
	} else if _, is := v.since(s.last); is != grown {
		s.offset, s.floor = nil, s.time
		if is == incomparable {
			b.stats.Unbaselined++
		}
	}
	s.start, s.time, s.seen, s.last = start, time, t.opts.Now().UnixNano(), v.measure
	b.admit(id, s)
	return s.rebase(start, v)
}

func (b *Batch) admit(id uint64, s *stream) {
	if b.admitted == nil {
		b.admitted = make(map[uint64]*stream)
	}
	b.admitted[id] = s
}

// again answers for a point that is not newer than the last: of the time before
// the stream was admitted, or sent twice.
func (b *Batch) again(s *stream, start int64, v Value) Admitted {
	if s.admitted && start == s.start {
		if a := s.rebase(start, v); !a.Drop {
			return a
		}
	}
	b.stats.OutOfOrder++
	return Admitted{Drop: true}
}

func (s *stream) rebase(start int64, v Value) Admitted {
	a := Admitted{Value: v, Start: max(start, s.floor)}
	if s.offset == nil {
		return a
	}
	d, is := v.since(s.offset)
	if is != grown {
		return Admitted{Drop: true}
	}
	a.Value = Value{d}
	return a
}

// commitAdmitted makes the states of the batch those of the table. The lock is
// held.
func (t *Table) commitAdmitted(states map[uint64]*stream) {
	for id, to := range states {
		s := t.streams[id]
		if s == nil {
			continue // forgotten meanwhile
		}
		if s.contributes() {
			s.to.live--
		}
		s.ended, s.admitted = to.ended, true
		if s.to.method != addGrowth {
			t.forget(id, s)
			continue
		}
		s.start, s.time, s.seen, s.last = to.start, to.time, to.seen, to.last
		s.offset, s.floor = to.offset, to.floor
		t.charge(id, s)
	}
}
