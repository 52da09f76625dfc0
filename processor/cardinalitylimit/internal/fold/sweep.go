package fold

import "time"

// Sweep forgets the streams, writers and series that have been silent for Options.Idle.
func (t *Table) Sweep() {
	before := t.opts.Now().Add(-t.opts.Idle).UnixNano()
	t.each(func(in *shard, id uint64, s *stream) {
		if s.seen < before {
			t.forget(in, id, s)
		}
	})
	t.sweepWriters(before)
	for id := range t.idle(before) {
		t.remove(id, before)
	}
}

// endAbsent ends streams of live sums that have been absent for too long. Their last values are no longer part of the sum.
// Their state and interval stay known.
func (t *Table) endAbsent(now int64) {
	t.each(func(_ *shard, _ uint64, s *stream) {
		if s.to.method == sumLive && s.contributes() && s.hasEnded(t.writers.serial(s.writer), now, t.opts.IdleTimeout) {
			s.pause()
			s.ended = true
		}
	})
}

// hasEnded reports whether the stream has been absent for too long. Serial is the number of its writer's current collection,
// which may be incomplete.
func (s *stream) hasEnded(serial uint32, now int64, timeout time.Duration) bool {
	if s.streak == steadyAfter && serial >= s.serial+absentFrom+1 {
		return true
	}
	return now-s.seen > max(int64(timeout), intervalsToEnd*s.interval)
}

const (
	// absentFrom is the number of whole collections without a steady stream that end it. A stream is steady after it came in
	// steadyAfter successive collections.
	absentFrom = 2
	// intervalsToEnd is the number of its own intervals after which any other silent stream ends.
	intervalsToEnd = 3
)

// idle returns the accumulators that may be removed. Batches may change them meanwhile, so remove checks again.
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

// remove removes an accumulator if it is idle. A later series with the same identity must begin after it.
func (t *Table) remove(id uint64, before int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	a := t.accumulators[id]
	if emitted, ok := a.idle(before); ok {
		t.origin = max(t.origin, emitted)
		delete(t.accumulators, id)
		var n Stats
		t.dropExemplars(&a.exemplars, &n) // those of a sum of live streams without a live stream
		t.stats.add(n)
		t.release(a.bytes)
	}
}

// idle returns the time of the last outgoing point, and whether the accumulator can be removed: it has nothing to flush, got no
// point since before, and no stream or batch uses it.
func (a *accumulator) idle(before int64) (emitted int64, idle bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	flushed := a.value == nil || a.repeats() && !a.unsent
	return a.emitted, a.seen < before && a.refs == 0 && a.pins == 0 && flushed
}
