package segment

import (
	"errors"
	"fmt"
	"io/fs"
	"sync/atomic"
	"time"
)

// ErrClosed is returned by appends after Close. Next, Maintain and DropOldest then do nothing.
var ErrClosed = errors.New("log is closed")

// Log is a durable log of records. Append, DropOldest, Maintain, CheckAppend, Stats, Cursor and Empty are safe for concurrent
// use. Peek, Next, Rewind and Done must have one caller at a time.
type Log struct {
	opt        Options
	dir        *dir
	writer     *writer
	maintainer *maintainer
	reader     *reader
	cursor     *cursorFile
	segments   *list
	shrinker   *shrinker
	readable   chan struct{} // capacity 1: there may be something to read

	closed atomic.Bool
}

// Entry is a record read from the log.
type Entry struct {
	Record     []byte // owned by the caller
	Start, End Position
}

// Open opens the log in a directory and creates the directory if it is missing. Reading continues at the cursor. Open costs one
// directory listing and one pass over the newest segment, whose torn tail it cuts. On a read-only disk it opens the existing
// log for reading; appends and saves fail until the disk is writable.
func Open(opt Options) (*Log, error) {
	opt = opt.withDefaults()
	d := &dir{fs: opt.FS, path: opt.Dir, makeDir: opt.MakeDir, checkOwner: opt.CheckOwner}
	if err := d.makeDir(); err != nil && !isReadOnly(err) {
		return nil, err
	}
	if err := errors.Join(d.refuseLink(""), d.refuseLink(cursorName)); err != nil {
		return nil, err
	}
	l := &Log{opt: opt, dir: d, readable: make(chan struct{}, 1)}
	if err := l.recover(); err != nil {
		if l.cursor != nil {
			err = errors.Join(err, l.cursor.close())
		}
		return nil, fmt.Errorf("recover %s: %w", opt.Dir, err)
	}
	l.writer = newWriter(opt, d, (*writersLog)(l))
	l.maintainer = newMaintainer(opt)
	go l.writer.run()
	go l.maintainer.run()
	return l, nil
}

// recover builds the log from the files in the directory.
func (l *Log) recover() (err error) {
	r := recovery{opt: &l.opt, dir: l.dir}
	if l.segments, l.cursor, err = r.run(); err != nil {
		return err
	}
	l.shrinker = &shrinker{list: l.segments, cursor: l.cursor, budget: l.opt.Budget, now: l.opt.Now, report: l.opt.report}
	l.reader = &reader{
		newestFirst: l.opt.NewestFirst, damaged: l.opt.damaged,
		quarantine: &quarantine{dir: l.dir, budget: l.opt.Budget, report: l.opt.report},
	}
	if err := l.reader.quarantine.recover(); err != nil {
		return err
	}
	l.opt.report(l.shrinker.removeDeletable())
	if len(l.segments.all()) > 0 {
		l.signal()
	}
	return nil
}

// Append writes a record, including its terminator, and returns when it is as durable as Options.Sync requires. After an error
// the record is not in the log.
func (l *Log) Append(record []byte) error { return l.AppendBefore(record, time.Time{}) }

// AppendBefore is Append with a limit: unless limit is zero it fails with ErrStalled at limit at the latest. A record that the
// disk has not begun to write by then is withdrawn. A record that is being written is marked as done when the write ends, so it
// is never read.
func (l *Log) AppendBefore(record []byte, limit time.Time) error {
	if err := l.dir.checkOwner(); err != nil {
		return err
	}
	return l.writer.append(record, limit)
}

// CheckAppend returns nil if a record of so many bytes could probably be appended now: the budget has room, and the disk
// accepts and syncs a new file. It is for a log that has refused a record.
func (l *Log) CheckAppend(bytes int64) error {
	if err := l.dir.checkOwner(); err != nil {
		return err
	}
	if err := l.opt.Budget.Reserve(bytes); err != nil {
		return err
	}
	l.opt.Budget.Written(bytes)
	l.opt.Budget.Release(bytes)
	return l.maintainer.call(l.dir.checkWritable)
}

// Readable signals after records were appended. It may also signal when nothing is left to read.
func (l *Log) Readable() <-chan struct{} { return l.readable }

func (l *Log) signal() {
	select {
	case l.readable <- struct{}{}:
	default:
	}
}

// Peek calls visit with the first unread record of the oldest and of the newest segment that has one. It returns the first
// error of visit. It skips what cannot be read now, since Next may be able to read it later. The cost does not depend on the
// log's size. Peek must come before the first Next.
func (l *Log) Peek(visit func(record []byte) error) error {
	var ends []*file
	for _, f := range l.segments.all() {
		if _, _, ok := f.toRead(); ok {
			ends = append(ends[:min(len(ends), 1)], f)
		}
	}
	for _, f := range ends {
		if err := peek(f, visit); err != nil {
			return err
		}
	}
	return nil
}

// Next returns a record that it has not returned yet. ok is false if there is none now. Damage is copied to the directory
// `quarantine`, counted and skipped.
//
// Oldest first, records come in the order of writing. Newest first applies to segments: the newest segment is sealed and read
// to its end, in the order of writing, before the next one is chosen. Records that are newer than the chosen segment therefore
// wait for its rest, at most Options.MaxSegmentBytes. Only one segment is read in part at any time, so the cursor does not grow
// with the log. Reading backwards would need an index.
func (l *Log) Next() (e Entry, ok bool, err error) {
	if err := l.dir.checkOwner(); err != nil {
		return Entry{}, false, err
	}
	e, ok, err = l.readNext()
	if errors.Is(err, fs.ErrNotExist) {
		if err := l.writer.call(l.restore); err != nil {
			return Entry{}, false, err
		}
		return l.readNext()
	}
	return e, ok, err
}

// Rewind makes Next begin again with the oldest record that is not done.
func (l *Log) Rewind() {
	l.reader.leave()
	for _, f := range l.segments.all() {
		f.rewind()
	}
}

func (l *Log) readNext() (Entry, bool, error) {
	for !l.closed.Load() {
		f := l.reader.choose(l.segments.all())
		if f == nil {
			return Entry{}, false, nil
		}
		if l.opt.NewestFirst && !f.isSealed() {
			if err := l.seal(f); err != nil {
				return Entry{}, false, err
			}
			continue // a newer segment may have begun
		}
		p, err := l.reader.next(f)
		switch {
		case err != nil:
			return Entry{}, false, err
		case p.kind == wholeRecord:
			return clone(f, p), true, nil
		case p.kind != atEnd:
			_, allDone := f.progress()
			l.shrinker.progressed(0, allDone)
		}
	}
	return Entry{}, false, nil
}

// seal makes the writer seal a segment if it is the active one.
func (l *Log) seal(f *file) error {
	return l.writer.call(func() error {
		l.writer.sealIf(f)
		return nil
	})
}

// Done marks a record as done: the log need not keep it. Records may become done in any order. A record that no longer exists,
// for instance after DropOldest, is ignored.
func (l *Log) Done(e Entry) error {
	if err := l.dir.checkOwner(); err != nil {
		return err
	}
	if f := l.segments.numbered(e.Start.Segment); f != nil {
		allDone := f.markDone(e.Start.Offset, e.End.Offset)
		l.shrinker.progressed(e.End.Offset-e.Start.Offset, allDone)
	}
	return l.shrink(false)
}

// Maintain repeats what has failed before: it creates a deleted or moved directory again, saves an unsaved cursor, and deletes
// segments that are done. A timer calls it. If nothing has failed it costs one stat call. After Close it does nothing.
func (l *Log) Maintain() error {
	if err := l.dir.checkOwner(); err != nil {
		return err
	}
	err := l.maintainer.call(l.cursor.inPlace)
	if errors.Is(err, errMoved) {
		err = l.writer.call(l.restore)
	}
	if err == nil {
		err = l.shrink(true)
	}
	if errors.Is(err, ErrClosed) {
		return nil
	}
	return err
}

// shrink saves the cursor if it is due, or at once if now is true, and deletes the segments that are done.
func (l *Log) shrink(now bool) error {
	if l.segments.drained() {
		// All records are done: the last segment is sealed so that it can be deleted, too.
		err := l.writer.call(func() error {
			if l.segments.drained() { // nothing was appended in the meantime
				l.writer.seal()
			}
			return nil
		})
		if err != nil {
			return err
		}
		now = true
	}
	if !now && !l.shrinker.due() {
		return nil
	}
	return l.maintainer.call(l.shrinker.shrink)
}

// DropOldest deletes the oldest segment to make room, and calls visit with each of its records that Next has not returned. The
// reader still owns the records that Next has returned. dropped is true if the records are gone for good. It is false if no
// segment exists or if the records are still there, even if visit has seen them. An error together with true means that no room
// was made: the file could not be deleted, or others used its space on a disk that is short.
func (l *Log) DropOldest(visit func(record []byte)) (dropped bool, err error) {
	if err := l.dir.checkOwner(); err != nil {
		return false, err
	}
	err = l.writer.callToEnd(func() (err error) {
		dropped, err = l.dropOldest(visit)
		return err
	})
	if errors.Is(err, ErrClosed) {
		return false, nil
	}
	return dropped, err
}

// dropOldest is DropOldest in the writer's goroutine.
func (l *Log) dropOldest(visit func(record []byte)) (bool, error) {
	files := l.segments.all()
	if len(files) == 0 {
		return false, nil
	}
	f := files[0]
	before, limited := l.opt.Budget.Available()
	l.writer.sealIf(f)
	from, to := f.withhold()
	err := walk(f, from, to, func(p piece) error {
		switch {
		case p.kind != wholeRecord:
			l.opt.damaged(corrupt(f, p))
		case !f.isDone(p.start): // not done in an earlier run
			visit(p.data)
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		// The file was deleted or moved: its space is free, and no record is left to drop. The active segment is sealed.
		return true, l.restore()
	}
	if err != nil {
		f.readmit()
		return false, err
	}
	dropped, err := l.shrinker.drop(f)
	if after, _ := l.opt.Budget.Available(); dropped && err == nil && limited && after <= before && l.opt.Budget.diskIsShort() {
		err = fmt.Errorf("%w: dropping a segment has freed nothing on the file system", ErrNoRoom)
	}
	return dropped, err
}

// restore creates the directory and the cursor again if they were deleted or moved, and gives up the segments that were deleted
// or moved with them. Their unread bytes count as damage. It runs in the writer's goroutine.
func (l *Log) restore() error {
	if err := l.dir.makeDir(); err != nil {
		return fmt.Errorf("make the directory again: %w", markNoSpace(err))
	}
	made, err := l.cursor.restore()
	if err != nil {
		return err
	}
	if made { // the new cursor file contains nothing about this run
		for _, f := range l.segments.all() {
			f.setDeletable(false)
		}
		l.shrinker.progressed(0, true)
	}
	l.writer.sealIfMoved()
	l.giveUpMoved()
	return nil
}

// giveUpMoved removes the segments whose files no longer exist.
func (l *Log) giveUpMoved() {
	moved, lost := 0, int64(0)
	for _, f := range l.segments.all() {
		if l.dir.has(f.String()) {
			continue
		}
		from, to := f.withhold()
		f.closeHandle()
		l.shrinker.unlist(f)
		moved, lost = moved+1, lost+to-from
	}
	if moved == 0 {
		return
	}
	l.opt.report(fmt.Errorf("%w: %d segments with %d unread bytes", errMoved, moved, lost))
	if lost > 0 {
		l.opt.damaged(Damage{Kind: Taken, Path: l.dir.path, Bytes: lost})
	}
}

// Stats returns the size of the log. It costs O(segments).
func (l *Log) Stats() Stats { return l.segments.stats() }

// Cursor returns the position before which all records are done.
func (l *Log) Cursor() Position { return l.segments.cursor() }

// Empty reports whether all records are done.
func (l *Log) Empty() bool { return l.segments.empty() }

// Close waits for writers, saves the cursor and closes the files. It deletes no unread record. If the disk hangs Close fails
// with ErrStalled, and the pending work ends when the disk answers.
func (l *Log) Close() error {
	if l.closed.Swap(true) {
		return nil
	}
	err := l.writer.close()
	for _, f := range l.segments.all() {
		f.withhold()
		f.closeHandle()
	}
	if err == nil {
		err = l.maintainer.call(l.shrinker.shrink)
	}
	if !errors.Is(err, ErrStalled) {
		err = errors.Join(err, l.maintainer.call(l.cursor.close))
	}
	return errors.Join(err, l.maintainer.close())
}

// Stalled reports whether a write has been waiting for the disk for more than a second.
func (l *Log) Stalled() bool { return l.writer.stalled() || l.maintainer.stalled() }
