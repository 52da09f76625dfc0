package delivery

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/record"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
)

const (
	// windowMin is how many records replay holds, however large: to find the one at fault others are needed.
	windowMin = 8
	// windowMax bounds them, however small.
	windowMax = 4096
	// poisonFailures is how often a record must fail, others passing in between, to be held for the cause; the last
	// poisonAlone of these alone, since in company the cause may be another.
	poisonFailures = 3
	poisonAlone    = 2
)

// pending is a record that replay has read and not settled. It is decoded only to be sent: in memory it is its line.
type pending struct {
	entry    segment.Entry
	number   uint64 // counts the records read
	items    int
	written  time.Time
	attempts int
	metadata map[string][]string

	out  bool // the replayer has it: it is sent, judged or written off; guarded by window.mu
	gone bool // log::on_full has dropped its segment meanwhile; guarded by window.mu
	// share is how many records it may go out with, itself included, since they have failed together; 0: any number.
	share int
	// failures counts the failures between which something else was delivered, alone those of them that were its own;
	// seen is the lane's count of deliveries at the last failure.
	failures int
	alone    int
	seen     uint64
	refused  bool // has had a permanent error, alone
}

// fail notes a failure together with n records, itself included, while the lane has made so many deliveries. An
// outage, in which nothing is delivered in between, changes it once. inOrder: nothing can be, in between, since what
// comes next must wait for it, so each failure takes the request further apart: what is before the one at fault passes.
func (p *pending) fail(n int, successes uint64, inOrder bool) {
	fresh := p.failures == 0 || p.suspect(successes)
	p.seen = successes
	if fresh {
		p.failures++
	}
	switch {
	case n > 1 && (fresh || inOrder):
		p.share = half(n)
	case n == 1 && (fresh || p.alone == 0):
		p.alone++
	}
}

// suspect: it has failed, and others have passed since. The next failure says nothing about the downstream.
func (p *pending) suspect(successes uint64) bool { return p.failures > 0 && successes > p.seen }

func (p *pending) poison() bool { return p.failures >= poisonFailures && p.alone >= poisonAlone }

// half of n records, the larger one.
func half(n int) int { return (n + 1) / 2 }

// window holds the records that replay has read and not settled, in the order in which they were read. They are settled in
// any order. The replayer fills and empties it; drop, which log::on_full calls, is safe to call beside it.
//
// A record is waiting or out. What happens to a record that is out is its outcome, which counts. A waiting record whose
// segment is dropped leaves the window and counts as dropped; one that is out then does so when it would wait again.
type window struct {
	minRecords int  // it holds so many, however large
	maxBytes   int  // of records, beyond those
	inOrder    bool // the oldest is always the next

	mu      sync.Mutex // taken before the log's locks
	records []*pending
	bytes   int
	count   uint64 // records read
	turn    uint64 // number of the record from which on to choose
}

// size is what it is held against: of compressed records what they are before, as they are decoded and sent.
func (p *pending) size() int { return record.Size(p.entry.Record) }

// fill adds what next reads, unless the window is full. next returns nil for a record that is passed over, and ok false
// when there is none. Until it is in the window a record is unread to drop.
func (w *window) fill(next func() (p *pending, ok bool, err error)) (more bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := len(w.records); n >= windowMax || n >= w.minRecords && w.bytes >= w.maxBytes {
		return false, nil
	}
	p, ok, err := next()
	if p != nil {
		w.add(p)
	}
	return ok, err
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

// choose returns the records to send next, which are out then: the first waiting one from turn on, or else the oldest
// waiting one, and those after it that may go with it, up to maxBytes.
func (w *window) choose(maxBytes int) []*pending {
	w.mu.Lock()
	defer w.mu.Unlock()
	first := w.waitingFrom(w.turn)
	if first < 0 {
		w.turn = 0
		if first = w.waitingFrom(0); first < 0 {
			return nil
		}
	}
	chosen := []*pending{w.records[first]}
	bytes, share := chosen[0].size(), shareOf(chosen[0])
	for _, p := range w.records[first+1:] {
		bytes += p.size()
		share = min(share, shareOf(p))
		if p.out || bytes > maxBytes || len(chosen) >= share || !sameMetadata(p, chosen[0]) {
			break
		}
		chosen = append(chosen, p)
	}
	for _, p := range chosen {
		p.out = true
	}
	return chosen
}

// waitingFrom returns the index of the first waiting record from a number on, or -1. The caller holds mu.
func (w *window) waitingFrom(number uint64) int {
	return slices.IndexFunc(w.records, func(p *pending) bool { return !p.out && p.number >= number })
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

// olderThan returns the waiting records that were written at t or before. They are out then.
func (w *window) olderThan(t time.Time) (old []*pending) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.records {
		if !p.out && !p.written.After(t) {
			p.out = true
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
	i := slices.Index(w.records, p)
	w.records = slices.Delete(w.records, i, i+1)
	w.bytes -= p.size()
}

// release lets records that are out wait again. It returns the number of items of those whose segment was dropped
// meanwhile: they are not in the window any more.
func (w *window) release(records []*pending) (droppedItems int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range records {
		p.out = false
		if p.gone {
			w.remove(p)
			droppedItems += p.items
		}
	}
	return droppedItems
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

// drop drops the oldest segment of a log, and with it the waiting records of the window that are in it. It returns the
// number of their items. No record is read meanwhile.
func (w *window) drop(log Log, visit func(record []byte)) (dropped bool, droppedItems int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if dropped, err = log.DropOldest(visit); !dropped {
		return false, 0, err
	}
	cursor := log.Cursor()
	for _, p := range slices.Clone(w.records) {
		switch {
		case !p.entry.Start.Before(cursor): // its segment is there
		case p.out:
			p.gone = true
		default:
			w.remove(p)
			droppedItems += p.items
		}
	}
	return true, droppedItems, err
}
