package segment

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/otelcol-custom/otelcol-custom/internal/wait"
)

var (
	// ErrStalled means that the disk has not answered in time. The record is not in the log, unless the process crashes before
	// its write ends and the cursor is saved.
	ErrStalled = errors.New("the disk does not answer")
	// ErrBusy means that too many bytes wait for the disk.
	ErrBusy = errors.New("too much waits for the disk")
)

const (
	// stalledAfter is how long a write may last before the log counts as stalled.
	stalledAfter = time.Second
	// maxWaiting bounds the bytes of the records that wait for the disk.
	maxWaiting = 64 << 20
)

// queue hands tasks to one goroutine, in their order. If the disk hangs it blocks that goroutine and not the callers, who wait
// no longer than maxWait allows. It is safe for concurrent use: mu guards everything below it, and the state of the tasks.
type queue struct {
	maxWait func() time.Duration
	now     func() time.Time
	wake    chan struct{} // capacity 1: there may be tasks
	began   atomic.Int64  // when the goroutine began its current work, in Unix nanoseconds; 0: it is idle

	mu     sync.Mutex
	tasks  []*task
	bytes  int64 // of the records that are queued or being written
	closed bool
}

// task is one caller's record, or other work, for the goroutine.
type task struct {
	record []byte
	work   func() error // nil for a record
	// limit is when the caller stops waiting, in addition to maxWait; zero: only maxWait counts.
	limit time.Time
	// mustEnd makes the caller wait for the end of work that has begun, however long it lasts.
	mustEnd bool
	done    chan struct{} // closed when err is final
	err     error

	started bool // the goroutine has dequeued it
	decided bool // its outcome is fixed
	givenUp bool // its caller got an error
}

func newQueue(opt Options) *queue {
	return &queue{maxWait: opt.MaxWait, now: opt.Now, wake: make(chan struct{}, 1)}
}

// do adds a task and returns its outcome. It returns ErrStalled if there is none in time, or ErrBusy.
func (q *queue) do(t *task) error {
	within := q.maxWait()
	if !t.limit.IsZero() {
		within = min(within, t.limit.Sub(q.now()))
	}
	if within <= 0 {
		return ErrStalled
	}
	t.done = make(chan struct{})
	if err := q.add(t); err != nil {
		return err
	}
	select {
	case q.wake <- struct{}{}:
	default:
	}
	if wait.For(t.done, within) || !q.giveUp(t) {
		<-t.done
		return t.err
	}
	return ErrStalled
}

func (q *queue) add(t *task) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := int64(len(t.record))
	switch {
	case q.closed:
		return ErrClosed
	case q.bytes > 0 && q.bytes+n > maxWaiting:
		return fmt.Errorf("%w: %d bytes", ErrBusy, q.bytes)
	}
	q.bytes += n
	q.tasks = append(q.tasks, t)
	return nil
}

// giveUp gives up a task whose caller has waited long enough. It withdraws a task that is still queued. It returns false if the
// outcome is about to be known.
func (q *queue) giveUp(t *task) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case t.decided, t.started && t.mustEnd:
		return false
	case !t.started:
		q.tasks = slices.DeleteFunc(q.tasks, func(o *task) bool { return o == t })
		q.bytes -= int64(len(t.record))
	}
	t.givenUp = true
	return true
}

// first returns the next task, or nil. The caller of the task may withdraw it before dequeue.
func (q *queue) first() *task {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.tasks) == 0 {
		return nil
	}
	return q.tasks[0]
}

// dequeue removes a task that first has returned. It returns false if the task was withdrawn.
func (q *queue) dequeue(t *task) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.tasks) == 0 || q.tasks[0] != t {
		return false
	}
	q.tasks[0] = nil
	q.tasks = q.tasks[1:]
	t.started = true
	return true
}

// decide fixes the outcome of records that have been written one after the other, and returns the bytes of the records whose
// callers got an error.
func (q *queue) decide(written []*task) (givenUp byteRanges) {
	q.mu.Lock()
	defer q.mu.Unlock()
	at := int64(0)
	for _, t := range written {
		end := at + int64(len(t.record))
		t.decided = true
		if t.givenUp {
			givenUp = givenUp.add(at, end)
		}
		at = end
	}
	return givenUp
}

// finish returns a task's outcome to its caller.
func (q *queue) finish(t *task, err error) {
	q.mu.Lock()
	t.decided = true
	q.bytes -= int64(len(t.record))
	q.mu.Unlock()
	t.err = err
	close(t.done)
}

// begin and end enclose the goroutine's work for the disk.
func (q *queue) begin() { q.began.Store(q.now().UnixNano()) }
func (q *queue) end()   { q.began.Store(0) }

// stalled reports whether the goroutine's current work has lasted longer than stalledAfter.
func (q *queue) stalled() bool {
	began := q.began.Load()
	return began != 0 && q.now().Sub(time.Unix(0, began)) > stalledAfter
}

// close refuses further tasks.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
}
