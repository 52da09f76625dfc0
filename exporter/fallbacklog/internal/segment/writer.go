package segment

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/otelcol-custom/otelcol-custom/internal/wait"
)

// maxGroup bounds the bytes written and synced at once, and with it how long one slow group keeps the next waiting.
const maxGroup = 8 << 20

// errSync marks a failed sync, after which the active segment is sealed.
var errSync = errors.New("sync failed")

// home is what the writer needs of the log. All methods are called from the writer's goroutine.
type home interface {
	// number returns the number of the next segment.
	number() uint64
	// add puts a new segment at the end of the list.
	add(f *file)
	// sealed notes that a segment does not grow any more. keep is false for an empty one: it is removed.
	sealed(f *file, allDone, keep bool)
	// restore makes again what was deleted or moved from the directory.
	restore() error
	// appended notes that there is something to read.
	appended()
}

// writer appends records to the active segment. Callers hand their records to its goroutine, which writes and syncs for
// all that wait at the time (group commit): n callers share one sync. call runs other work there, so that nothing is
// being written meanwhile.
type writer struct {
	*queue
	opt   Options
	dir   *dir
	home  home
	stop  chan struct{}
	ended chan struct{} // closed when the goroutine has ended

	// What follows belongs to the goroutine.

	active   *active // nil: the next append begins a segment
	unsynced []byte  // SyncInterval: what the active segment got since its last sync
	group    []byte  // the bytes of the group being written
}

// active is the segment that grows.
type active struct {
	File
	file  *file
	found fs.FileInfo // identifies the file
	size  int64       // of the file, as far as the file is known to be whole
}

func newWriter(opt Options, d *dir, h home) *writer {
	return &writer{
		queue: newQueue(opt), opt: opt, dir: d, home: h, stop: make(chan struct{}), ended: make(chan struct{}),
	}
}

// append writes a record and returns when it is as durable as Options.Sync says. Safe for concurrent use.
func (w *writer) append(record []byte, limit time.Time) error {
	return w.do(&task{record: record, limit: limit})
}

// call runs work between two groups and returns its error. Safe for concurrent use, but not for the goroutine itself.
func (w *writer) call(work func() error) error { return w.do(&task{work: work}) }

// callToEnd is call for work whose outcome the caller has to know, even if it is slow once it has begun.
func (w *writer) callToEnd(work func() error) error { return w.do(&task{work: work, mustEnd: true}) }

// close refuses further tasks, does what waits, and seals the active segment. It returns ErrStalled where that takes too
// long; the goroutine then ends when the disk lets it.
func (w *writer) close() error {
	w.queue.close()
	close(w.stop)
	if !wait.For(w.ended, w.patience()) {
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

// doQueued does everything that waits.
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

// commit writes and syncs the records at the front of the queue, as many as fit one segment and maxGroup.
func (w *writer) commit() {
	w.group = w.group[:0]
	var group []*task
	room := w.opt.MaxSegmentBytes
	if w.active != nil {
		room -= w.active.size
	}
	for t := w.first(); t != nil && t.work == nil; t = w.first() {
		n := len(w.group) + len(t.record)
		if len(group) > 0 && (n > maxGroup || int64(n) > room) {
			break
		}
		if !w.dequeue(t) {
			continue
		}
		if err := w.opt.Budget.Reserve(int64(len(t.record))); err != nil {
			w.finish(t, err)
			continue
		}
		if len(group) == 0 && int64(n) > room {
			room = w.opt.MaxSegmentBytes // write will begin a new segment
		}
		group = append(group, t)
		w.group = append(w.group, t.record...)
	}
	if len(group) == 0 {
		return
	}
	err := w.write(w.group, group)
	w.opt.Budget.Written(int64(len(w.group)))
	if err != nil {
		w.opt.Budget.Release(int64(len(w.group)))
	}
	for _, t := range group {
		w.finish(t, err)
	}
	if cap(w.group) > 2*maxGroup {
		w.group = nil // one huge record must not stay in memory for ever
	}
}

// write puts data, which are the records of group, at the end of the log, durably with SyncBatch. The space is reserved.
func (w *writer) write(data []byte, group []*task) error {
	if a := w.active; a != nil && (a.size+int64(len(data)) > w.opt.MaxSegmentBytes ||
		w.opt.MaxSegmentAge > 0 && w.opt.Now().Sub(a.file.created) >= w.opt.MaxSegmentAge) {
		w.seal()
	}
	err := w.tryWrite(data, group)
	if len(w.unsynced) >= maxGroup {
		w.flush()
	}
	switch {
	case errors.Is(err, errTaken):
		if rerr := w.home.restore(); rerr != nil {
			return errors.Join(err, rerr)
		}
		return w.tryWrite(data, group)
	case errors.Is(err, errSync):
		// After a failed sync nothing that the file got since the last good one can be trusted, whatever a second sync
		// would say. The file has been sealed; what memory still has goes into a new one, once.
		if again := w.tryWrite(data, group); again != nil {
			return errors.Join(err, again)
		}
		return nil
	}
	return err
}

// tryWrite appends data to the active segment, or to a new one.
func (w *writer) tryWrite(data []byte, group []*task) error {
	if w.active == nil {
		if err := w.beginSegment(); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w: %w", errTaken, err)
		} else if err != nil {
			return fmt.Errorf("begin a segment: %w", full(err))
		}
	}
	a := w.active
	if _, err := a.Write(data); err != nil {
		w.cutBack()
		return fmt.Errorf("append: %w", full(err))
	}
	if w.opt.Sync == SyncBatch {
		if err := w.sync(a); err != nil {
			w.cutBack()
			w.retire()
			return fmt.Errorf("%w: %w", errSync, full(err))
		}
	}
	if err := w.dir.checkPlace(a.file.String(), a.found); err != nil {
		w.cutBack()
		return fmt.Errorf("append: %w", err)
	}
	if w.opt.Sync == SyncInterval {
		w.unsynced = append(w.unsynced, data...)
	}
	a.size += int64(len(data))
	a.file.grow(int64(len(data)), w.decide(group))
	w.home.appended()
	return nil
}

// beginSegment makes the next segment and its name durable.
func (w *writer) beginSegment() error {
	f := &file{name: name{number: w.home.number(), created: w.opt.Now(), kind: w.opt.Kind}, dir: w.dir}
	handle, found, err := w.dir.create(f.String())
	if err != nil {
		return err
	}
	w.home.add(f)
	w.active = &active{File: handle, file: f, found: found}
	return nil
}

// cutBack removes what a failed write left behind. Where that fails too, the segment is sealed: readers never see the
// surplus, and after a restart it is a torn tail, or whole records that arrive twice.
func (w *writer) cutBack() {
	if err := w.active.Truncate(w.active.size); err != nil {
		w.opt.report(fmt.Errorf("cut back a failed write: %w", err))
		w.seal()
	}
}

// seal syncs and ends the active segment, if there is one.
func (w *writer) seal() {
	w.flush()
	w.retire()
}

// sealIf seals the active segment if it is f.
func (w *writer) sealIf(f *file) {
	if w.active != nil && w.active.file == f {
		w.seal()
	}
}

// giveUpTaken ends the active segment if somebody has deleted or moved its file.
func (w *writer) giveUpTaken() {
	if a := w.active; a != nil && errors.Is(w.dir.checkPlace(a.file.String(), a.found), errTaken) {
		w.retire()
	}
}

// retire closes the active segment's file, if there is one: it does not grow any more.
func (w *writer) retire() {
	a := w.active
	if a == nil {
		return
	}
	w.active, w.unsynced = nil, nil
	w.opt.report(a.Close())
	w.home.sealed(a.file, a.file.seal(), a.size > 0)
}

func (w *writer) sync(f File) error {
	start := w.opt.Now()
	err := f.Sync()
	if w.opt.OnSync != nil {
		w.opt.OnSync(w.opt.Now().Sub(start), err)
	}
	return err
}

// flush syncs the active segment with SyncInterval. Where that fails, what it got since the last sync is written to a new
// segment, once.
func (w *writer) flush() {
	if w.active == nil || len(w.unsynced) == 0 {
		return
	}
	data := w.unsynced
	w.unsynced = nil
	err := w.sync(w.active)
	if err == nil {
		if cap(data) <= 2*maxGroup {
			w.unsynced = data[:0]
		}
		return
	}
	w.opt.report(fmt.Errorf("%w, writing the last %d bytes again: %w", errSync, len(data), err))
	w.retire() // nothing is cut back: readers may have seen it
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
