package segment

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// The cursor is saved at the latest after this much progress: what a crash repeats is bounded by it.
const (
	cursorEvery      = time.Second
	cursorEveryBytes = 8 << 20
)

// Entry is a record read from the log.
type Entry struct {
	Record     []byte // the caller's
	Start, End Position
}

// Next returns the oldest record not yet returned; ok is false when there is none now. Damage on the way is copied to
// the directory `quarantine`, counted, and passed over.
func (l *Log) Next() (e Entry, ok bool, err error) {
	e, ok, err = l.readNext()
	if !errors.Is(err, fs.ErrNotExist) {
		return e, ok, err
	}
	l.leader <- struct{}{}
	err = l.restore()
	<-l.leader
	if err != nil {
		return Entry{}, false, err
	}
	return l.readNext()
}

func (l *Log) readNext() (e Entry, ok bool, err error) {
	l.readMu.Lock()
	defer l.readMu.Unlock()
	for {
		i, more, ok := l.segmentToRead()
		if !ok {
			return Entry{}, false, nil
		}
		if err := l.openReader(i); err != nil {
			return Entry{}, false, err
		}
		f, err := l.reader.next(i.size)
		if err != nil {
			l.reader.close()
			l.reading = 0
			return Entry{}, false, fmt.Errorf("read %s: %w", i.name(l.opt.Extension), err)
		}
		end := Position{i.number, f.end}
		switch f.kind {
		case aRecord:
			l.advance(end)
			return Entry{Record: bytes.Clone(f.data), Start: Position{i.number, f.start}, End: end}, true, nil
		case damage, torn:
			l.quarantine(i, f)
			l.advance(end)
		case atEnd:
			if !more {
				return Entry{}, false, nil
			}
			l.advance(Position{i.number + 1, 0})
		}
	}
}

// segmentToRead returns the segment at the read position, or the first after it, and whether there is a newer one.
func (l *Log) segmentToRead() (i info, more, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return info{}, false, false
	}
	for k, i := range l.segments {
		if i.number < l.read.Segment {
			continue
		}
		if i.number > l.read.Segment {
			l.read = Position{i.number, 0}
		}
		return i, k < len(l.segments)-1, true
	}
	return info{}, false, false
}

func (l *Log) openReader(i info) error {
	l.mu.Lock()
	at := l.read
	l.mu.Unlock()
	if l.reading == i.number && l.reader.file != nil && l.reader.off == at.Offset {
		return nil
	}
	l.reader.close()
	l.reading = 0
	f, err := l.opt.FS.OpenFile(l.path(i), os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	l.reader.file, l.reader.off, l.reading = f, at.Offset, i.number
	return nil
}

func (l *Log) advance(to Position) {
	l.mu.Lock()
	if l.read.Before(to) {
		l.read = to
	}
	l.mu.Unlock()
}

// Release says that every record before to has been dealt with and may be deleted. A position that the cursor has
// passed already, as after DropOldest, changes nothing.
func (l *Log) Release(to Position) error {
	l.mu.Lock()
	if l.cursor.Before(to) {
		l.cursor = to
	}
	l.mu.Unlock()
	return l.shrink(false)
}

// Tend makes up for what has failed before: it makes a directory again that has been taken away, saves a cursor that is not saved, and deletes the segments before it. It
// is for a timer; with nothing to make up for it costs two locks. After Close it does nothing.
func (l *Log) Tend() error {
	l.mu.Lock()
	closed := l.closed
	l.mu.Unlock()
	if closed {
		return nil
	}
	if err := l.tendDir(); err != nil {
		return err
	}
	if err := l.shrink(true); !errors.Is(err, ErrClosed) {
		return err
	}
	return nil
}

// shrink saves the cursor when it is due, or now, and deletes the segments before it.
func (l *Log) shrink(now bool) error {
	if l.drained() {
		// The whole log has been dealt with: end its last segment so that it can go too.
		l.leader <- struct{}{}
		err := l.sealDrained()
		<-l.leader
		if err != nil {
			return err
		}
		now = true
	}
	return l.saveAndRemove(now)
}

func (l *Log) drained() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.segments)
	return n > 0 && !l.cursor.Before(Position{l.segments[n-1].number, l.segments[n-1].size})
}

// sealDrained seals the active segment unless something was appended in the meantime. The caller holds leader.
func (l *Log) sealDrained() error {
	if !l.drained() {
		return nil
	}
	if err := l.seal(); err != nil {
		return err
	}
	l.mu.Lock()
	if n := len(l.segments); n > 0 && l.segments[n-1].number < l.next { // none: somebody else was faster
		l.cursor = Position{l.next, 0}
	}
	l.mu.Unlock()
	return nil
}

// saveAndRemove saves the cursor when it is due and then deletes the segments before it, in this order: a segment goes
// only when the durable cursor has passed it.
func (l *Log) saveAndRemove(now bool) error {
	l.saveMu.Lock()
	defer l.saveMu.Unlock()
	l.mu.Lock()
	cursor, saved := l.cursor, l.saved
	due := now || cursor.Segment != saved.Segment || cursor.Offset-saved.Offset >= cursorEveryBytes ||
		l.opt.Now().Sub(l.savedAt) >= cursorEvery
	l.mu.Unlock()
	if !due {
		return nil
	}
	if cursor != saved {
		if err := l.save(cursor); err != nil {
			return err
		}
	}
	l.report(l.removeDone())
	return nil
}

// save makes the cursor durable. The caller holds saveMu.
func (l *Log) save(cursor Position) error {
	if err := l.store.save(cursor); err != nil {
		return err
	}
	l.mu.Lock()
	l.saved, l.savedAt = cursor, l.opt.Now()
	l.mu.Unlock()
	return nil
}

// removeDone deletes the segments that lie before the durable cursor, oldest first, and stops at the first that stays.
func (l *Log) removeDone() error {
	for {
		l.mu.Lock()
		if len(l.segments) == 0 || l.segments[0].number >= l.saved.Segment {
			l.mu.Unlock()
			return nil
		}
		i := l.segments[0]
		l.mu.Unlock()
		if err := l.opt.FS.Remove(l.path(i)); err != nil && !os.IsNotExist(err) {
			return err
		}
		l.mu.Lock()
		l.segments = l.segments[1:]
		l.mu.Unlock()
		l.opt.Budget.Release(i.disk)
	}
}

// DropOldest deletes the oldest segment to make room and hands each of its records that Next has not returned to
// visit. Records that Next has returned stay the reader's. It reports true when the records are gone for good, and false
// when there are none to drop or when they are still there, whatever visit has seen. An error beside true says that the
// file stays, and so does the room that it takes.
func (l *Log) DropOldest(visit func(record []byte)) (bool, error) {
	l.leader <- struct{}{}
	defer func() { <-l.leader }()
	l.readMu.Lock()
	defer l.readMu.Unlock()

	l.mu.Lock()
	if len(l.segments) == 0 || l.closed {
		l.mu.Unlock()
		return false, nil
	}
	oldest, read := l.segments[0], l.read
	l.mu.Unlock()

	if l.active != nil && l.active.number == oldest.number {
		if err := l.seal(); err != nil {
			return false, err
		}
	}
	if l.reading == oldest.number {
		l.reader.close()
		l.reading = 0
	}
	if err := l.visitUnread(oldest, read, visit); errors.Is(err, fs.ErrNotExist) {
		// It has been taken away: there is room, and nothing that could be dropped. The active segment is sealed.
		return true, l.restoreLocked()
	} else if err != nil {
		return false, err
	}
	return l.giveUp(oldest)
}

// giveUp moves the cursor behind a segment and deletes it. Nothing has changed where the cursor cannot be saved: a
// restart would bring back what memory took for gone.
func (l *Log) giveUp(i info) (bool, error) {
	l.saveMu.Lock()
	defer l.saveMu.Unlock()
	next := Position{i.number + 1, 0}
	l.mu.Lock()
	unread, saved := l.cursor.Before(next), l.saved
	l.mu.Unlock()
	if saved.Before(next) {
		if err := l.save(next); err != nil {
			return false, err
		}
	}
	l.mu.Lock()
	if l.cursor.Before(next) {
		l.cursor = next
	}
	if l.read.Before(next) {
		l.read = next
	}
	l.mu.Unlock()
	err := l.removeDone()
	return unread || err == nil, err
}

func (l *Log) visitUnread(i info, read Position, visit func([]byte)) error {
	if i.number < read.Segment {
		return nil
	}
	f, err := l.opt.FS.OpenFile(l.path(i), os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	s := scanner{format: l.opt.Format, file: f}
	defer s.close()
	if i.number == read.Segment {
		s.off = read.Offset
	}
	for {
		found, err := s.next(i.size)
		if err != nil {
			return err
		}
		switch found.kind {
		case aRecord:
			visit(found.data)
		case damage, torn:
			if l.opt.OnDamage != nil {
				l.opt.OnDamage(found.end - found.start)
			}
		case atEnd:
			return nil
		}
	}
}
