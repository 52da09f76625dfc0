package fold

// Admitted is what downstream shall see of a cumulative point that passes.
type Admitted struct {
	Value Value // unchanged if Same
	Start int64
	Same  bool // pass the point as it came
	Drop  bool // its growth has been folded already
}

var same = Admitted{Same: true}

// Admit takes a stream that was folded and has a place now: what it grew to while
// folded stays with the overflow series, and it goes on from there, starting at
// its last folded time. The stream's state changes with the commit of the batch.
func (b *Batch) Admit(id uint64, start, time int64, v Value) Admitted {
	s := b.stateOf(id)
	if s == nil {
		return same
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
	s.start, s.time, s.seen, s.last = start, time, b.table.opts.Now().UnixNano(), v.measure
	b.admit(id, s)
	return s.rebase(start, v)
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
	s.offset, s.floor, s.uncertain = to.offset, to.floor, false
	t.charge(in, id, s, n)
}
