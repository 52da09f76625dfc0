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
	// ErrStalled says that the disk has not answered in time. A record that was refused so is not in the log, unless the
	// process crashes before the write ends.
	ErrStalled = errors.New("the disk does not answer")
	// ErrBusy says that too much waits for the disk.
	ErrBusy = errors.New("too much waits for the disk")
)

const (
	// stalledAfter is for how long a write may be out before the log counts as stalled.
	stalledAfter = time.Second
	// maxWaiting bounds the bytes of the records that wait for the disk.
	maxWaiting = 64 << 20
)

// queue hands tasks to one goroutine, in their order. A disk that hangs keeps that goroutine and not the callers, who wait
// no longer than patience allows. It is safe for concurrent use: mu guards everything below it, and the state of tasks.
type queue struct {
	patience func() time.Duration
	now      func() time.Time
	wake     chan struct{} // capacity 1: there may be tasks
	began    atomic.Int64  // when the goroutine began what it does, in Unix nanoseconds; 0: nothing

	mu     sync.Mutex
	tasks  []*task
	bytes  int64 // of the records handed over and not finished
	closed bool
}

// task is one caller's record, or work, on its way through the goroutine.
type task struct {
	record []byte
	work   func() error // nil for a record
	// limit is until when the caller waits, beside patience; zero: only patience counts.
	limit time.Time
	// mustEnd: once work has begun its caller waits for its end, however long.
	mustEnd bool
	done    chan struct{} // closed when err is final
	err     error

	taken   bool // the goroutine has it
	decided bool // its outcome is known
	refused bool // its caller got an error
}

func newQueue(opt Options) *queue {
	return &queue{patience: opt.Patience, now: opt.Now, wake: make(chan struct{}, 1)}
}

// do returns the outcome of a task, ErrStalled when there is none in time, or ErrBusy.
func (q *queue) do(t *task) error {
	within := q.patience()
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
	if wait.For(t.done, within) || !q.refuse(t) {
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

// refuse gives a task up whose caller has waited long enough; it returns false when the outcome is about to be known. A
// task that waits is withdrawn.
func (q *queue) refuse(t *task) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case t.decided, t.taken && t.mustEnd:
		return false
	case !t.taken:
		q.tasks = slices.DeleteFunc(q.tasks, func(o *task) bool { return o == t })
		q.bytes -= int64(len(t.record))
	}
	t.refused = true
	return true
}

// first returns the task that comes next, nil when there is none. It may be withdrawn before dequeue.
func (q *queue) first() *task {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.tasks) == 0 {
		return nil
	}
	return q.tasks[0]
}

// dequeue removes a task that first has returned from the queue; it returns false when that has been withdrawn.
func (q *queue) dequeue(t *task) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.tasks) == 0 || q.tasks[0] != t {
		return false
	}
	q.tasks[0] = nil
	q.tasks = q.tasks[1:]
	t.taken = true
	return true
}

// decide fixes the outcome of records that have been written one behind the other, and returns the bytes
// of the records whose callers got an error.
func (q *queue) decide(written []*task) (refused spans) {
	q.mu.Lock()
	defer q.mu.Unlock()
	at := int64(0)
	for _, t := range written {
		end := at + int64(len(t.record))
		t.decided = true
		if t.refused {
			refused = refused.add(at, end)
		}
		at = end
	}
	return refused
}

// finish tells a task's outcome to its caller.
func (q *queue) finish(t *task, err error) {
	q.mu.Lock()
	t.decided = true
	q.bytes -= int64(len(t.record))
	q.mu.Unlock()
	t.err = err
	close(t.done)
}

// begin and end frame what the goroutine does for the disk.
func (q *queue) begin() { q.began.Store(q.now().UnixNano()) }
func (q *queue) end()   { q.began.Store(0) }

// stalled reports whether the goroutine has been at one thing for longer than stalledAfter.
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

// keeper runs work that keeps the log in order: it saves the cursor and deletes segments. It has a goroutine of its own,
// so that appends do not wait for it.
type keeper struct {
	*queue
	stop  chan struct{}
	ended chan struct{} // closed when the goroutine has ended
}

func newKeeper(opt Options) *keeper {
	return &keeper{queue: newQueue(opt), stop: make(chan struct{}), ended: make(chan struct{})}
}

// call runs work and returns its error. Safe for concurrent use, but not for the goroutine itself.
func (k *keeper) call(work func() error) error { return k.do(&task{work: work}) }

// run is the goroutine, until close.
func (k *keeper) run() {
	defer close(k.ended)
	for {
		select {
		case <-k.wake:
			k.doQueued()
		case <-k.stop:
			k.doQueued()
			return
		}
	}
}

func (k *keeper) doQueued() {
	for t := k.first(); t != nil; t = k.first() {
		if k.dequeue(t) {
			k.begin()
			err := t.work()
			k.end()
			k.finish(t, err)
		}
	}
}

// close does what waits and ends the goroutine, or returns ErrStalled when that takes too long.
func (k *keeper) close() error {
	k.queue.close()
	close(k.stop)
	if !wait.For(k.ended, k.patience()) {
		return ErrStalled
	}
	return nil
}
