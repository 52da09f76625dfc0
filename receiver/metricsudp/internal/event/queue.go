package event

import (
	"net/netip"
	"sync"
	"time"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
)

// Line is an event or a service check that waits to be sent.
type Line struct {
	Kind     line.Kind
	Text     []byte // the whole line, which line.Parse has accepted
	Received time.Time
	Source   netip.Addr // zero if unknown
}

// Queue keeps lines for the Sender. Any goroutine may call its methods; none of them waits.
type Queue struct {
	maxLines int
	now      func() time.Time
	filled   chan struct{} // has an element after an Add

	mu      sync.Mutex // guards everything declared below
	lines   []Line
	bytes   int    // length of the lines' texts
	dropped uint64 // lines since the last ResetDropped
}

// maxQueueBytes bounds the texts in the queue, because one event may have up to 64 KiB.
const maxQueueBytes = 32 << 20

// NewQueue returns a queue of up to maxLines lines.
func NewQueue(maxLines int) *Queue {
	return &Queue{maxLines: maxLines, now: time.Now, filled: make(chan struct{}, 1)}
}

// Add copies a line, or counts it as dropped if the queue is full.
func (q *Queue) Add(kind line.Kind, text []byte, from netip.Addr) {
	q.add(kind, text, from)
	select {
	case q.filled <- struct{}{}:
	default:
	}
}

func (q *Queue) add(kind line.Kind, text []byte, from netip.Addr) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.lines) >= q.maxLines || q.bytes+len(text) > maxQueueBytes {
		q.dropped++
		return
	}
	q.lines = append(q.lines, Line{Kind: kind, Text: append([]byte(nil), text...), Received: q.now(), Source: from})
	q.bytes += len(text)
}

// remove removes up to maxLines lines and returns them.
func (q *Queue) remove(maxLines int) []Line {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(maxLines, len(q.lines))
	removed := append([]Line(nil), q.lines[:n]...)
	for i := range removed {
		q.bytes -= len(removed[i].Text)
	}
	kept := copy(q.lines, q.lines[n:])
	clear(q.lines[kept:])
	q.lines = q.lines[:kept]
	return removed
}

// Len returns the number of lines in the queue.
func (q *Queue) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.lines)
}

// ResetDropped returns the number of lines that were dropped since the last call.
func (q *Queue) ResetDropped() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := q.dropped
	q.dropped = 0
	return n
}
