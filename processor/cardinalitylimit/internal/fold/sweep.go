package fold

// Sweep forgets what has been silent for the idle time.
func (t *Table) Sweep() {
	before := t.opts.Now().Add(-t.opts.Idle).UnixNano()
	t.each(func(in *shard, id uint64, s *stream) {
		if s.seen < before {
			t.forget(in, id, s)
		}
	})
	for id := range t.idle(before) {
		t.remove(id, before)
	}
}

// idle returns the accumulators that may go: it looks while batches go on, and
// remove looks again.
func (t *Table) idle(before int64) map[uint64]struct{} {
	idle := make(map[uint64]struct{})
	t.mu.RLock()
	defer t.mu.RUnlock()
	for id, a := range t.accumulators {
		if _, ok := a.idle(before); ok {
			idle[id] = struct{}{}
		}
	}
	return idle
}

// remove removes an accumulator if it is idle. A series of this name to come must
// begin after it.
func (t *Table) remove(id uint64, before int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	a := t.accumulators[id]
	if end, ok := a.idle(before); ok {
		t.origin = max(t.origin, end.emitted)
		t.horizon = max(t.horizon, end.horizon)
		delete(t.accumulators, id)
		var n Stats
		t.forsake(&a.exemplars, &n) // of a sum of live streams: none lives
		t.stats.add(n)
		t.release(a.bytes)
	}
}

// end is how far an accumulator came.
type end struct{ emitted, horizon int64 }

// idle tells whether nothing is left to flush, nothing has come since before, and
// nobody holds on to the accumulator.
func (a *accumulator) idle(before int64) (end, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	flushed := a.value == nil || a.repeats() && !a.unsent
	return end{a.emitted, a.horizon}, a.seen < before && a.refs == 0 && a.pins == 0 && flushed
}
