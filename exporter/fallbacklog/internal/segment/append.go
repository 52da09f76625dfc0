package segment

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// maxGroup bounds the bytes written and synced at once, and with it how long one slow group keeps the next waiting.
const maxGroup = 8 << 20

// commit is one caller's record on its way to disk.
type commit struct {
	record []byte
	done   chan struct{} // closed when err is final
	err    error
}

func (c *commit) finish(err error) {
	c.err = err
	close(c.done)
}

// Append writes a record, terminator included, and returns when it is as durable as Options.Sync says. On an error
// the record is not in the log. It may be called concurrently: whoever finds no writer at work becomes the writer
// for everyone who waits by then, so that n callers share one sync.
func (l *Log) Append(record []byte) error {
	c := &commit{record: record, done: make(chan struct{})}
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return ErrClosed
	}
	l.pending = append(l.pending, c)
	l.mu.Unlock()

	select {
	case <-c.done: // another caller wrote it
	case l.leader <- struct{}{}:
		l.commitPending()
		<-l.leader
		<-c.done
	}
	return c.err
}

// commitPending writes everything that waits. The caller holds leader.
func (l *Log) commitPending() {
	l.mu.Lock()
	batch, closed := l.pending, l.closed
	l.pending = nil
	l.mu.Unlock()

	for len(batch) > 0 {
		if closed {
			batch[0].finish(ErrClosed)
			batch = batch[1:]
			continue
		}
		batch = l.commitGroup(batch)
	}
}

// commitGroup writes and syncs the front of batch, as much as fits one segment and maxGroup, and returns the rest.
func (l *Log) commitGroup(batch []*commit) []*commit {
	l.group = l.group[:0]
	var group []*commit
	room := l.opt.MaxSegmentBytes
	if l.active != nil {
		room -= l.active.size
	}
	for len(batch) > 0 {
		c := batch[0]
		n := len(l.group) + len(c.record)
		if len(group) > 0 && (n > maxGroup || int64(n) > room) {
			break
		}
		batch = batch[1:]
		if err := l.opt.Budget.Reserve(int64(len(c.record))); err != nil {
			c.finish(err)
			continue
		}
		if len(group) == 0 && int64(n) > room {
			room = l.opt.MaxSegmentBytes // write will begin a new segment
		}
		group = append(group, c)
		l.group = append(l.group, c.record...)
	}
	if len(group) == 0 {
		return batch
	}
	err := l.write(l.group)
	if err != nil {
		l.opt.Budget.Release(int64(len(l.group)))
	}
	for _, c := range group {
		c.finish(err)
	}
	if cap(l.group) > 2*maxGroup {
		l.group = nil // one huge record must not be held for ever
	}
	return batch
}

// write puts data at the end of the log, durably with SyncBatch. The space is reserved. The caller holds leader.
func (l *Log) write(data []byte) error {
	if a := l.active; a != nil && (a.size+int64(len(data)) > l.opt.MaxSegmentBytes ||
		l.opt.MaxSegmentAge > 0 && l.opt.Now().Sub(a.info.created) >= l.opt.MaxSegmentAge) {
		if err := l.seal(); err != nil {
			return err
		}
	}
	err := l.tryWrite(data)
	if len(l.unsynced) >= maxGroup {
		l.flush()
	}
	if errors.Is(err, errTaken) {
		if rerr := l.restore(); rerr != nil {
			return errors.Join(err, rerr)
		}
		return l.tryWrite(data)
	}
	if errors.Is(err, errSync) {
		// After a failed sync nothing that this file took since the last good one can be trusted, whatever a second
		// sync would say. The file has been sealed; what memory still has goes into a new one, once.
		if again := l.tryWrite(data); again != nil {
			return errors.Join(err, again)
		}
		return nil
	}
	return err
}

// errSync marks a failed sync, after which the active segment is gone.
var errSync = errors.New("sync failed")

// tryWrite appends data to the active segment, beginning one where there is none.
func (l *Log) tryWrite(data []byte) error {
	if l.active == nil {
		if err := l.begin(); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w: %w", errTaken, err)
		} else if err != nil {
			return fmt.Errorf("begin a segment: %w", full(err))
		}
	}
	a := l.active
	if _, err := a.Write(data); err != nil {
		l.cutBack()
		return fmt.Errorf("append: %w", full(err))
	}
	if l.opt.Sync == SyncBatch {
		if err := l.sync(a); err != nil {
			l.cutBack()
			l.abandon()
			return fmt.Errorf("%w: %w", errSync, full(err))
		}
	}
	if err := l.isAt(a.found, a.path); err != nil {
		l.cutBack()
		return fmt.Errorf("append: %w", err)
	}
	if l.opt.Sync == SyncInterval {
		l.unsynced = append(l.unsynced, data...)
	}
	a.size += int64(len(data))
	l.mu.Lock()
	a.info.size = a.size
	a.info.disk += int64(len(data))
	l.mu.Unlock()
	l.signal()
	return nil
}

// begin creates the next segment and makes its name durable.
func (l *Log) begin() error {
	l.mu.Lock()
	i := &info{number: l.next, created: l.opt.Now(), kind: l.opt.Kind, open: true}
	l.mu.Unlock()
	name := l.path(i)
	f, err := l.opt.FS.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL|os.O_APPEND, FileMode)
	if err != nil {
		return err
	}
	if err := l.opt.FS.SyncDir(l.opt.Dir); err != nil {
		_ = f.Close()
		l.report(l.opt.FS.Remove(name))
		return err
	}
	found, err := f.Stat()
	if err != nil {
		_ = f.Close()
		l.report(l.opt.FS.Remove(name))
		return err
	}
	l.mu.Lock()
	l.next++
	l.segments = append(l.segments, i)
	l.mu.Unlock()
	l.active = &tail{File: f, info: i, path: name, found: found}
	return nil
}

// cutBack removes what a failed write left behind. Where that fails too, the segment is sealed: its surplus is never
// shown to readers, and after a restart it is a torn tail, or whole records that arrive twice.
func (l *Log) cutBack() {
	if err := l.active.Truncate(l.active.size); err != nil {
		l.report(fmt.Errorf("cut back a failed write: %w", err))
		l.abandon()
	}
}

// abandon gives the active segment up without trusting it any further. An empty one is removed.
func (l *Log) abandon() {
	a := l.active
	if a == nil {
		return
	}
	l.report(l.endActive())
	if a.size > 0 {
		return
	}
	l.mu.Lock()
	l.segments = l.segments[:len(l.segments)-1]
	l.mu.Unlock()
	l.report(l.opt.FS.Remove(l.path(a.info)))
}

// seal ends the active segment. The caller holds leader.
func (l *Log) seal() error {
	if l.opt.Sync == SyncInterval {
		l.flush()
	}
	return l.endActive()
}

// endActive closes the active segment's file, if there is one: it does not grow any more.
func (l *Log) endActive() error {
	a := l.active
	if a == nil {
		return nil
	}
	l.active = nil
	l.mu.Lock()
	a.info.open = false
	if a.info.spent() {
		l.dirty, l.ripe = true, true
	}
	l.mu.Unlock()
	l.wakePacker()
	return a.Close()
}

func (l *Log) sync(f File) error {
	start := l.opt.Now()
	err := f.Sync()
	if l.opt.OnSync != nil {
		l.opt.OnSync(l.opt.Now().Sub(start), err)
	}
	return err
}

// flush syncs the active segment in SyncInterval. Where that fails, what it took since the last sync is written to a
// new segment, once. The caller holds leader.
func (l *Log) flush() {
	if l.active == nil || len(l.unsynced) == 0 {
		return
	}
	data := l.unsynced
	l.unsynced = nil
	err := l.sync(l.active)
	if err == nil {
		if cap(data) <= 2*maxGroup {
			l.unsynced = data[:0]
		}
		return
	}
	l.report(fmt.Errorf("%w, writing the last %d bytes again: %w", errSync, len(data), err))
	// Nothing is cut back: readers may have seen it.
	l.report(l.endActive())
	if err := l.opt.Budget.Reserve(int64(len(data))); err != nil {
		l.report(err)
		return
	}
	if err := l.tryWrite(data); err != nil {
		l.opt.Budget.Release(int64(len(data)))
		l.report(err)
		return
	}
	if err := l.sync(l.active); err != nil {
		l.report(err)
		return
	}
	l.unsynced = nil
}

// syncEvery is the SyncInterval timer.
func (l *Log) syncEvery(interval time.Duration) {
	defer l.stopped.Done()
	t := time.NewTicker(interval)
	defer t.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-t.C:
			l.leader <- struct{}{}
			l.flush()
			<-l.leader
		}
	}
}
