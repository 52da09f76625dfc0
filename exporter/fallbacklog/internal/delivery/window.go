package delivery

import (
	"maps"
	"slices"
	"sync"
	"time"
)

const (
	// windowMin is how many records replay keeps, however large: to find the one at fault others are needed.
	windowMin = 8
	// windowMax bounds them, however small.
	windowMax = 4096
	// asideBytes bounds the records that wait for a retry, beyond windowMin of them, where maxBytes is less.
	asideBytes = 16 << 20
	// probeRecords is how many records strict order keeps when it needs probes, up to asideBytes.
	probeRecords = 64
)

// window contains the records that replay has read and not settled, in the order in which they were read. They are settled in
// any order. The replayer fills and empties it; drop, which log::on_full calls, is safe to call beside it.
//
// A record is waiting or out. What happens to a record that is out is its outcome, which counts. A waiting record whose
// segment is dropped leaves the window and counts as dropped; one that is out then does so when it would wait again.
//
// Records with a time to be retried have a room of their own, so that others pass them.
type window struct {
	minRecords int  // that it keeps, however large
	maxBytes   int  // of records, beyond those
	inOrder    bool // the oldest is always the next

	mu         sync.Mutex // taken before the log's locks
	records    []*pending
	bytes      int    // of all records
	aside      int    // records with a time to be retried
	asideBytes int    // of them
	count      uint64 // records read
	turn       uint64 // number of the record from which on to choose
	extended   bool   // it keeps probeRecords
}

// fill adds what next reads, unless the window is full. next returns nil for a record that is passed over, and ok false
// when there is none. Until it is in the window a record is unread to drop.
func (w *window) fill(next func() (p *pending, ok bool, err error)) (more bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.full() {
		return false, nil
	}
	p, ok, err := next()
	if p != nil {
		w.add(p)
	}
	return ok, err
}

// full is for a caller that holds mu.
func (w *window) full() bool {
	n, bytes := len(w.records)-w.aside, w.bytes-w.asideBytes
	switch {
	case len(w.records) >= windowMax:
		return true
	case w.aside >= windowMin && w.asideBytes >= max(w.maxBytes, asideBytes):
		return true
	case w.extended && n < probeRecords && bytes < asideBytes:
		return false
	}
	return n >= w.minRecords && bytes >= w.maxBytes
}

func (w *window) add(p *pending) {
	w.count++
	p.number = w.count
	w.records = append(w.records, p)
	w.bytes += p.size()
}

func (w *window) empty() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.records) == 0
}

// extend lets the window keep enough records for probes in strict order, or no longer.
func (w *window) extend(extended bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.extended = extended
}

// choose returns the records to send next, which are out then: the first waiting one from turn on, or else the oldest
// waiting one, and those after it that may go with it, up to maxBytes.
func (w *window) choose(now time.Time, maxBytes int) []*pending {
	w.mu.Lock()
	defer w.mu.Unlock()
	first := w.readyFrom(w.turn, now)
	if first < 0 {
		w.turn = 0
		if first = w.readyFrom(0, now); first < 0 {
			return nil
		}
	}
	chosen, _ := w.groupFrom(first, now, maxBytes)
	for _, p := range chosen {
		w.markOut(p)
	}
	return chosen
}

// upcoming returns what choose will return next, up to n times, if what is out leaves the window and nothing else changes.
// What records that are not read yet may still belong to is left out.
func (w *window) upcoming(now time.Time, maxBytes, n int) (groups [][]*pending) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for first := w.readyFrom(0, now); first >= 0 && first < len(w.records) && len(groups) < n; {
		if p := w.records[first]; p.out || p.retryAt.After(now) {
			break
		}
		group, complete := w.groupFrom(first, now, maxBytes)
		if !complete {
			break
		}
		groups = append(groups, group)
		first += len(group)
	}
	return groups
}

// groupFrom returns the records that go out together with the one at an index. complete is false where records that are
// not read yet may belong to them. The caller holds mu.
func (w *window) groupFrom(first int, now time.Time, maxBytes int) (group []*pending, complete bool) {
	group = []*pending{w.records[first]}
	bytes, share := group[0].size(), shareOf(group[0])
	for _, p := range w.records[first+1:] {
		bytes += p.size()
		share = min(share, shareOf(p))
		if p.out || p.retryAt.After(now) || bytes > maxBytes || len(group) >= share || !sameMetadata(p, group[0]) {
			return group, true
		}
		group = append(group, p)
	}
	return group, false
}

// probe returns one waiting record, which is out then, whatever its time to be retried: the oldest one, or the newest one,
// preferring one that was not refused.
func (w *window) probe(newest bool) []*pending {
	w.mu.Lock()
	defer w.mu.Unlock()
	var found *pending
	for _, p := range w.records {
		switch {
		case p.out:
		case found == nil, newest && (p.fresh() || !found.fresh()):
			found = p
		}
	}
	if found == nil {
		return nil
	}
	w.markOut(found)
	return []*pending{found}
}

// after returns the first waiting record from a number on, which is out then; nil: there is none.
func (w *window) after(number uint64) *pending {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.records {
		if !p.out && p.number >= number {
			w.markOut(p)
			return p
		}
	}
	return nil
}

// markOut is for a caller that holds mu.
func (w *window) markOut(p *pending) {
	p.out = true
	w.retry(p, time.Time{})
}

// retry sets when a record is retried; zero while it is out. The caller holds mu.
func (w *window) retry(p *pending, at time.Time) {
	if p.retryAt.IsZero() != at.IsZero() {
		if at.IsZero() {
			w.aside--
			w.asideBytes -= p.size()
		} else {
			w.aside++
			w.asideBytes += p.size()
		}
	}
	p.retryAt = at
}

// retryNow ends the time of all records to be retried.
func (w *window) retryNow() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.records {
		w.retry(p, time.Time{})
	}
}

// readyFrom returns the index of the first waiting record from a number on whose time has come, or -1. The caller holds mu.
func (w *window) readyFrom(number uint64, now time.Time) int {
	return slices.IndexFunc(w.records, func(p *pending) bool { return !p.out && p.number >= number && !p.retryAt.After(now) })
}

// nextRetry returns the earliest time of a waiting record to be retried.
func (w *window) nextRetry() (at time.Time, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.records {
		if !p.out && !p.retryAt.IsZero() && (!ok || p.retryAt.Before(at)) {
			at, ok = p.retryAt, true
		}
	}
	return at, ok
}

func shareOf(p *pending) int {
	if p.share == 0 {
		return windowMax
	}
	return p.share
}

func sameMetadata(a, b *pending) bool { return maps.EqualFunc(a.metadata, b.metadata, slices.Equal) }

// pass gives the turn to the records after these: they have failed, and others show whose fault it is.
func (w *window) pass(records []*pending) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.inOrder {
		w.turn = records[len(records)-1].number + 1
	}
}

// passedBy notes for the records that have failed alone that a later one was delivered.
func (w *window) passedBy(later *pending) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.records {
		if p.failedAlone && p.number < later.number {
			p.passedBy++
			p.share = 1
		}
	}
}

// olderThan returns the waiting records that were written at t or before. They are out then.
func (w *window) olderThan(t time.Time) (old []*pending) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.records {
		if !p.out && !p.written.After(t) {
			w.markOut(p)
			old = append(old, p)
		}
	}
	return old
}

// firstWritten returns when the oldest waiting record was written.
func (w *window) firstWritten() (first time.Time, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.records {
		if !p.out && (!ok || p.written.Before(first)) {
			first, ok = p.written, true
		}
	}
	return first, ok
}

// settle removes a record that is out, and that the log knows to be dealt with, and gives the first one its turn.
func (w *window) settle(p *pending) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.remove(p)
	w.turn = 0
}

// remove is for a caller that holds mu.
func (w *window) remove(p *pending) {
	w.retry(p, time.Time{})
	i := slices.Index(w.records, p)
	w.records = slices.Delete(w.records, i, i+1)
	w.bytes -= p.size()
}

// release lets records that are out wait again, until a time where retryAt is not zero. It returns those whose segment
// was dropped meanwhile: they are not in the window any more.
func (w *window) release(records []*pending, retryAt time.Time) (dropped []*pending) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range records {
		p.out = false
		if p.gone {
			w.remove(p)
			dropped = append(dropped, p)
		} else {
			w.retry(p, retryAt)
		}
	}
	return dropped
}

// allOut returns the records that are out.
func (w *window) allOut() (out []*pending) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.records {
		if p.out {
			out = append(out, p)
		}
	}
	return out
}

// drop drops the oldest segment of a log, and with it the waiting records of the window that are in it, which it returns.
// No record is read meanwhile.
func (w *window) drop(log Log, visit func(record []byte)) (dropped bool, records []*pending, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if dropped, err = log.DropOldest(visit); !dropped {
		return false, nil, err
	}
	cursor := log.Cursor()
	for _, p := range slices.Clone(w.records) {
		switch {
		case !p.entry.Start.Before(cursor): // its segment is there
		case p.out:
			p.gone = true
		default:
			w.remove(p)
			records = append(records, p)
		}
	}
	return true, records, err
}
