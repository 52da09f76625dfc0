package fold

import "time"

// Sweep forgets what has been silent for the idle time.
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

// endAbsent ends the streams of live sums that have been away for too long: their last
// values are no longer part of the sum. They stay known, with their interval.
func (t *Table) endAbsent(now int64) {
	t.each(func(_ *shard, _ uint64, s *stream) {
		if s.to.method == sumLive && s.contributes() && s.hasEnded(t.writers.serial(s.writer), now, t.opts.IdleTimeout) {
			s.pause()
			s.ended = true
		}
	})
}

// hasEnded reports whether the stream has been away for too long. Serial is that of its
// writer's current collection, which may be incomplete.
func (s *stream) hasEnded(serial uint32, now int64, timeout time.Duration) bool {
	if s.streak == settledAfter && serial >= s.serial+absentFrom+1 {
		return true
	}
	return now-s.seen > max(int64(timeout), intervalsToEnd*s.interval)
}

const (
	// absentFrom is how many whole collections without it end a stream that came in each
	// of settledAfter before.
	absentFrom = 2
	// intervalsToEnd is how many of its own intervals any other stream may be silent.
	intervalsToEnd = 3
)

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
	if emitted, ok := a.idle(before); ok {
		t.origin = max(t.origin, emitted)
		delete(t.accumulators, id)
		var n Stats
		t.forsake(&a.exemplars, &n) // of a sum of live streams: none lives
		t.stats.add(n)
		t.release(a.bytes)
	}
}

// idle returns how far the accumulator came and whether nothing is left to flush, nothing has come since before, and
// nobody holds on to the accumulator.
func (a *accumulator) idle(before int64) (emitted int64, idle bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	flushed := a.value == nil || a.repeats() && !a.unsent
	return a.emitted, a.seen < before && a.refs == 0 && a.pins == 0 && flushed
}
