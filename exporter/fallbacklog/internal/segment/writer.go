package segment

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/otelcol-custom/otelcol-custom/internal/wait"
)

// maxCommitBytes bounds the bytes of one write and sync, and so the time that the next commit waits.
const maxCommitBytes = 8 << 20

// errSync marks a failed sync, after which the active segment is sealed.
var errSync = errors.New("sync failed")

// logForWriter is the part of the log that the writer uses. The writer's goroutine calls all methods.
type logForWriter interface {
	// number returns the number of the next segment.
	number() uint64
	// add appends a new segment to the list.
	add(f *file)
	// sealed records that a segment does not grow any more. If keep is false the segment is empty and is deleted.
	sealed(f *file, allDone, keep bool)
	// restore creates what was deleted or moved from the directory again.
	restore() error
	// appended signals that there is something to read. someDone says that records among it are done, since their callers gave
	// up.
	appended(someDone bool)
}

// writer appends records to the active segment. Callers hand their records to its goroutine, which writes and syncs the records
// of all waiting callers at once (group commit): n callers share one sync. call runs other work in the goroutine, so that
// nothing is written meanwhile.
type writer struct {
	*queue
	opt   Options
	dir   *dir
	log   logForWriter
	stop  chan struct{}
	ended chan struct{} // closed when the goroutine has ended

	// Only the goroutine uses the fields below.

	active      *active // nil: the next append begins a segment
	unsynced    []byte  // with SyncInterval: the bytes of the active segment since its last sync
	commitBytes []byte  // buffer of the records that are written together
}

// active is the segment that grows.
type active struct {
	File
	file     *file
	identity fs.FileInfo // of the file
	size     int64       // length up to which the file is known to be whole
}

func newWriter(opt Options, d *dir, h logForWriter) *writer {
	return &writer{
		queue: newQueue(opt), opt: opt, dir: d, log: h, stop: make(chan struct{}), ended: make(chan struct{}),
	}
}

// append writes a record and returns when it is as durable as Options.Sync requires. It is safe for concurrent use.
func (w *writer) append(record []byte, limit time.Time) error {
	return w.do(&task{record: record, limit: limit})
}

// call runs work between two commits and returns its error. It is safe for concurrent use, but must not be called from the
// goroutine itself.
func (w *writer) call(work func() error) error { return w.do(&task{work: work}) }

// callToEnd is call for work whose outcome the caller must know: once the work has begun the caller waits for its end, however
// long.
func (w *writer) callToEnd(work func() error) error { return w.do(&task{work: work, mustEnd: true}) }

// close refuses further tasks, finishes the queued ones and seals the active segment. It returns ErrStalled if that takes too
// long; the goroutine then ends when the disk answers.
func (w *writer) close() error {
	w.queue.close()
	close(w.stop)
	if !wait.For(w.ended, w.maxWait()) {
		return ErrStalled
	}
	return nil
}

// run is the goroutine, until close.
func (w *writer) run() {
	defer close(w.ended)
	var sync <-chan time.Time
	if w.opt.Sync == SyncInterval {
		t := time.NewTicker(w.opt.SyncInterval)
		defer t.Stop()
		sync = t.C
	}
	for {
		select {
		case <-w.wake:
			w.doQueued()
		case <-sync:
			w.begin()
			w.flush()
			w.end()
		case <-w.stop:
			w.doQueued()
			w.seal()
			return
		}
	}
}

// doQueued does all queued tasks.
func (w *writer) doQueued() {
	for t := w.first(); t != nil; t = w.first() {
		w.begin()
		switch {
		case t.work == nil:
			w.commit()
		case w.dequeue(t):
			w.finish(t, t.work())
		}
		w.end()
	}
}

// commit writes and syncs the records at the front of the queue, as many as fit in one segment and in maxCommitBytes.
func (w *writer) commit() {
	w.commitBytes = w.commitBytes[:0]
	var tasks []*task
	room := w.opt.MaxSegmentBytes
	if w.active != nil {
		room -= w.active.size
	}
	for t := w.first(); t != nil && t.work == nil; t = w.first() {
		n := len(w.commitBytes) + len(t.record)
		if len(tasks) > 0 && (n > maxCommitBytes || int64(n) > room) {
			break
		}
		if !w.dequeue(t) {
			continue
		}
		if err := w.opt.Budget.Reserve(int64(len(t.record))); err != nil {
			w.finish(t, err)
			continue
		}
		if len(tasks) == 0 && int64(n) > room {
			room = w.opt.MaxSegmentBytes // write will begin a new segment
		}
		tasks = append(tasks, t)
		w.commitBytes = append(w.commitBytes, t.record...)
	}
	if len(tasks) == 0 {
		return
	}
	err := w.write(w.commitBytes, tasks)
	w.opt.Budget.Written(int64(len(w.commitBytes)))
	if err != nil {
		w.opt.Budget.Release(int64(len(w.commitBytes)))
	}
	for _, t := range tasks {
		w.finish(t, err)
	}
	if cap(w.commitBytes) > 2*maxCommitBytes {
		w.commitBytes = nil // release the memory of one huge record
	}
}

// write appends data, the records of tasks, to the log. With SyncBatch it makes them durable. The caller has reserved the
// space.
func (w *writer) write(data []byte, tasks []*task) error {
	if a := w.active; a != nil && (a.size+int64(len(data)) > w.opt.MaxSegmentBytes ||
		w.opt.MaxSegmentAge > 0 && w.opt.Now().Sub(a.file.created) >= w.opt.MaxSegmentAge) {
		w.seal()
	}
	err := w.tryWrite(data, tasks)
	if len(w.unsynced) >= maxCommitBytes {
		w.flush()
	}
	switch {
	case errors.Is(err, errMoved):
		if rerr := w.log.restore(); rerr != nil {
			return errors.Join(err, rerr)
		}
		return w.tryWrite(data, tasks)
	case errors.Is(err, errSync):
		// After a failed sync the bytes since the last good sync cannot be trusted, whatever a second sync reports. The file
		// has been sealed. The records that are still in memory go to a new segment, once.
		if again := w.tryWrite(data, tasks); again != nil {
			return errors.Join(err, again)
		}
		return nil
	}
	return err
}

// tryWrite appends data to the active segment, or to a new one.
func (w *writer) tryWrite(data []byte, tasks []*task) error {
	if w.active == nil {
		if err := w.beginSegment(); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w: %w", errMoved, err)
		} else if err != nil {
			return fmt.Errorf("begin a segment: %w", markNoSpace(err))
		}
	}
	a := w.active
	if _, err := a.Write(data); err != nil {
		w.cutBack()
		return fmt.Errorf("append: %w", markNoSpace(err))
	}
	if w.opt.Sync == SyncBatch {
		if err := w.sync(a); err != nil {
			w.cutBack()
			w.sealUnsynced()
			return fmt.Errorf("%w: %w", errSync, markNoSpace(err))
		}
	}
	if err := w.dir.checkPlace(a.file.String(), a.identity); err != nil {
		w.cutBack()
		return fmt.Errorf("append: %w", err)
	}
	if w.opt.Sync == SyncInterval {
		w.unsynced = append(w.unsynced, data...)
	}
	a.size += int64(len(data))
	givenUp := w.decide(tasks)
	a.file.grow(int64(len(data)), givenUp)
	w.log.appended(len(givenUp) > 0)
	return nil
}

// beginSegment creates the next segment and makes its name durable.
func (w *writer) beginSegment() error {
	f := &file{name: name{number: w.log.number(), created: w.opt.Now(), kind: w.opt.Kind}, dir: w.dir}
	handle, identity, err := w.dir.create(f.String())
	if err != nil {
		return err
	}
	w.log.add(f)
	w.active = &active{File: handle, file: f, identity: identity}
	return nil
}

// cutBack removes the bytes of a failed write. If that fails, too, it seals the segment: readers never see the surplus. After a
// restart the surplus is a torn tail, or whole records that are delivered twice.
func (w *writer) cutBack() {
	if err := w.active.Truncate(w.active.size); err != nil {
		w.opt.report(fmt.Errorf("cut back a failed write: %w", err))
		w.seal()
	}
}

// seal syncs and seals the active segment, if there is one.
func (w *writer) seal() {
	w.flush()
	w.sealUnsynced()
}

// sealIf seals the active segment if it is f.
func (w *writer) sealIf(f *file) {
	if w.active != nil && w.active.file == f {
		w.seal()
	}
}

// sealIfMoved seals the active segment if its file was deleted or moved.
func (w *writer) sealIfMoved() {
	if a := w.active; a != nil && errors.Is(w.dir.checkPlace(a.file.String(), a.identity), errMoved) {
		w.sealUnsynced()
	}
}

// sealUnsynced seals the active segment, if there is one, without a sync.
func (w *writer) sealUnsynced() {
	a := w.active
	if a == nil {
		return
	}
	w.active, w.unsynced = nil, nil
	w.opt.report(a.Close())
	w.log.sealed(a.file, a.file.seal(), a.size > 0)
}

func (w *writer) sync(f File) error {
	start := w.opt.Now()
	err := f.Sync()
	if w.opt.OnSync != nil {
		w.opt.OnSync(w.opt.Now().Sub(start), err)
	}
	return err
}

// flush syncs the active segment with SyncInterval. If the sync fails, the bytes since the last sync go to a new segment, once.
func (w *writer) flush() {
	if w.active == nil || len(w.unsynced) == 0 {
		return
	}
	data := w.unsynced
	w.unsynced = nil
	err := w.sync(w.active)
	if err == nil {
		if cap(data) <= 2*maxCommitBytes {
			w.unsynced = data[:0]
		}
		return
	}
	w.opt.report(fmt.Errorf("%w, writing the last %d bytes again: %w", errSync, len(data), err))
	w.sealUnsynced() // no cutBack: readers may have seen the bytes
	if err := w.opt.Budget.Reserve(int64(len(data))); err != nil {
		w.opt.report(err)
		return
	}
	err = w.tryWrite(data, nil)
	w.opt.Budget.Written(int64(len(data)))
	if err != nil {
		w.opt.Budget.Release(int64(len(data)))
		w.opt.report(err)
		return
	}
	if err := w.sync(w.active); err != nil {
		w.opt.report(err)
		return
	}
	w.unsynced = nil
}
