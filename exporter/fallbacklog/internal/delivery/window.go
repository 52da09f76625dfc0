package delivery

import (
	"maps"
	"slices"
	"sync"
	"time"
)

const (
	// windowMin is how many records replay keeps in memory whatever their size. To find the record at fault, replay needs
	// others.
	windowMin = 8
	// windowMax is the most records that replay keeps in memory, whatever their size.
	windowMax = 4096
	// maxRetryingBytes bounds the records that wait for a retry if maxBytes is less. It applies beyond windowMin of these
	// records.
	maxRetryingBytes = 16 << 20
	// probeRecords is how many records strict order keeps when it needs probes, up to maxRetryingBytes.
	probeRecords = 64
)

// window contains the records that replay has read and that are not done, in the order of reading. Records become done in any
// order. Only the replayer adds and removes records; drop, which log::on_full calls, may run concurrently.
//
// A record is waiting or out. A record is out while the replayer sends it or decides about it: then its outcome counts. When a
// segment is dropped, its waiting records leave the window and count as dropped. Its records that are out do so only when they
// would wait again.
//
// Records with a retry time have room of their own, so that others pass them.
type window struct {
	minRecords int  // number of records to keep, whatever their size
	maxBytes   int  // of records beyond minRecords
	inOrder    bool // strict order: the oldest record is always the next

	mu            sync.Mutex // locked before the log's locks
	records       []*pending
	bytes         int    // of all records
	retrying      int    // number of records with a retry time
	retryingBytes int    // of the records with a retry time
	count         uint64 // records read so far
	chooseFrom    uint64 // number of the first record that choose considers
	extended      bool   // the window keeps probeRecords
}

// fill adds the record that next reads, unless the window is full. next returns nil for a record that is skipped, and ok false
// if the log has no more. drop treats the record as unread until it is in the window.
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

// full reports whether the window has no room for another record. The caller holds mu.
func (w *window) full() bool {
	n, bytes := len(w.records)-w.retrying, w.bytes-w.retryingBytes
	switch {
	case len(w.records) >= windowMax:
		return true
	case w.retrying >= windowMin && w.retryingBytes >= max(w.maxBytes, maxRetryingBytes):
		return true
	case w.extended && n < probeRecords && bytes < maxRetryingBytes:
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

// extend sets whether the window keeps enough records for probes in strict order.
func (w *window) extend(extended bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.extended = extended
}

// choose returns the records of the next request and marks them as out. The request begins with the first ready record from
// chooseFrom on, or else with the oldest ready record. The records after it join the request up to maxBytes.
func (w *window) choose(now time.Time, maxBytes int) []*pending {
	w.mu.Lock()
	defer w.mu.Unlock()
	first := w.readyFrom(w.chooseFrom, now)
	if first < 0 {
		w.chooseFrom = 0
		if first = w.readyFrom(0, now); first < 0 {
			return nil
		}
	}
	chosen, _ := w.requestFrom(first, now, maxBytes)
	for _, p := range chosen {
		w.markOut(p)
	}
	return chosen
}

// upcoming returns the next requests that choose will return, at most n, assuming that the records that are out leave the
// window and that nothing else changes. It omits a request that records not yet read may belong to.
func (w *window) upcoming(now time.Time, maxBytes, n int) (requests [][]*pending) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for first := w.readyFrom(0, now); first >= 0 && first < len(w.records) && len(requests) < n; {
		if p := w.records[first]; p.out || p.retryAt.After(now) {
			break
		}
		records, complete := w.requestFrom(first, now, maxBytes)
		if !complete {
			break
		}
		requests = append(requests, records)
		first += len(records)
	}
	return requests
}

// requestFrom returns the records that go out together with the one at an index. complete is false if records that are not yet
// read may belong to the request. The caller holds mu.
func (w *window) requestFrom(first int, now time.Time, maxBytes int) (records []*pending, complete bool) {
	records = []*pending{w.records[first]}
	bytes, maxTogether := records[0].size(), maxTogetherOf(records[0])
	for _, p := range w.records[first+1:] {
		bytes += p.size()
		maxTogether = min(maxTogether, maxTogetherOf(p))
		if p.out || p.retryAt.After(now) || bytes > maxBytes || len(records) >= maxTogether || !sameMetadata(p, records[0]) {
			return records, true
		}
		records = append(records, p)
	}
	return records, false
}

// probe returns one waiting record and marks it as out, whatever its retry time: the oldest record, or the newest, preferably
// one that was not refused.
func (w *window) probe(newest bool) []*pending {
	w.mu.Lock()
	defer w.mu.Unlock()
	var found *pending
	for _, p := range w.records {
		switch {
		case p.out:
		case found == nil, newest && (p.neverFailed() || !found.neverFailed()):
			found = p
		}
	}
	if found == nil {
		return nil
	}
	w.markOut(found)
	return []*pending{found}
}

// after returns the first waiting record from a number on and marks it as out. It returns nil if there is none.
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

// markOut marks a record as out. The caller holds mu.
func (w *window) markOut(p *pending) {
	p.out = true
	w.setRetryAt(p, time.Time{})
}

// setRetryAt changes a record's retry time; zero removes it. The caller holds mu.
func (w *window) setRetryAt(p *pending, at time.Time) {
	if p.retryAt.IsZero() != at.IsZero() {
		if at.IsZero() {
			w.retrying--
			w.retryingBytes -= p.size()
		} else {
			w.retrying++
			w.retryingBytes += p.size()
		}
	}
	p.retryAt = at
}

// clearRetryTimes removes the retry times of all records.
func (w *window) clearRetryTimes() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.records {
		w.setRetryAt(p, time.Time{})
	}
}

// readyFrom returns the index of the first waiting record from a number on whose retry time has come, or -1. The caller holds
// mu.
func (w *window) readyFrom(number uint64, now time.Time) int {
	return slices.IndexFunc(w.records, func(p *pending) bool { return !p.out && p.number >= number && !p.retryAt.After(now) })
}

// nextRetry returns the earliest retry time of a waiting record.
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

func maxTogetherOf(p *pending) int {
	if p.maxTogether == 0 {
		return windowMax
	}
	return p.maxTogether
}

func sameMetadata(a, b *pending) bool { return maps.EqualFunc(a.metadata, b.metadata, slices.Equal) }

// chooseAfter makes choose begin behind the given records. They have failed, and the records behind them show whether the
// downstream or the data is at fault. In strict order it does nothing.
func (w *window) chooseAfter(records []*pending) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.inOrder {
		w.chooseFrom = records[len(records)-1].number + 1
	}
}

// countDelivered counts a delivered record as a later one for each record that has failed alone before it.
func (w *window) countDelivered(later *pending) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.records {
		if p.countsLater && p.number < later.number {
			p.laterDelivered++
			p.maxTogether = 1
		}
	}
}

// olderThan returns the waiting records that were written at t or before, and marks them as out.
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

// removeDone removes a record that is out and that the log knows to be done. choose begins with the oldest record again.
func (w *window) removeDone(p *pending) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.remove(p)
	w.chooseFrom = 0
}

// remove removes a record. The caller holds mu.
func (w *window) remove(p *pending) {
	w.setRetryAt(p, time.Time{})
	i := slices.Index(w.records, p)
	w.records = slices.Delete(w.records, i, i+1)
	w.bytes -= p.size()
}

// putBack lets records that are out wait again, with a retry time unless retryAt is zero. It returns the records whose segment
// was dropped meanwhile and removes them from the window.
func (w *window) putBack(records []*pending, retryAt time.Time) (dropped []*pending) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range records {
		p.out = false
		if p.segmentDropped {
			w.remove(p)
			dropped = append(dropped, p)
		} else {
			w.setRetryAt(p, retryAt)
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

// drop drops the oldest segment of a log. It removes the waiting records of that segment from the window and returns them. No
// record is read meanwhile.
func (w *window) drop(log RecordReader, visit func(record []byte)) (dropped bool, records []*pending, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if dropped, err = log.DropOldest(visit); !dropped {
		return false, nil, err
	}
	cursor := log.Cursor()
	for _, p := range slices.Clone(w.records) {
		switch {
		case !p.entry.Start.Before(cursor): // its segment is still there
		case p.out:
			p.segmentDropped = true
		default:
			w.remove(p)
			records = append(records, p)
		}
	}
	return true, records, err
}
