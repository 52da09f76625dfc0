package delivery

import (
	"maps"
	"slices"
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

	out bool // it is with the wrapped exporter
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

// window holds the unsettled records in the order in which they were read. They are settled in any order. It is used by
// one goroutine.
type window struct {
	minRecords int  // it holds so many, however large
	maxBytes   int  // of records, beyond those
	inOrder    bool // the oldest is always the next

	records []*pending
	bytes   int
	count   uint64 // records read
	turn    uint64 // number of the record from which on to choose
}

// size is what it is held against: of compressed records what they are before, as they are decoded and sent.
func (p *pending) size() int { return record.Size(p.entry.Record) }

func (w *window) full() bool {
	n := len(w.records)
	return n >= windowMax || n >= w.minRecords && w.bytes >= w.maxBytes
}

func (w *window) add(p *pending) {
	w.count++
	p.number = w.count
	w.records = append(w.records, p)
	w.bytes += p.size()
}

// choose returns the records to send next: the first from turn on that is not out, or else the oldest one that is not,
// and those after it that may go with it, up to maxBytes.
func (w *window) choose(maxBytes int) []*pending {
	first := w.here(w.turn)
	if first < 0 {
		w.turn = 0
		if first = w.here(0); first < 0 {
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
	return chosen
}

// here returns the index of the first record from a number on that is not out, or -1.
func (w *window) here(from uint64) int {
	return slices.IndexFunc(w.records, func(p *pending) bool { return !p.out && p.number >= from })
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
	if !w.inOrder {
		w.turn = records[len(records)-1].number + 1
	}
}

// olderThan returns the records that are not out and were written at t or before.
func (w *window) olderThan(t time.Time) (old []*pending) {
	for _, p := range w.records {
		if !p.out && !p.written.After(t) {
			old = append(old, p)
		}
	}
	return old
}

// settle takes a record out and gives the first one its turn.
func (w *window) settle(p *pending) {
	i := slices.Index(w.records, p)
	w.records = slices.Delete(w.records, i, i+1)
	w.bytes -= p.size()
	w.turn = 0
}
