package segment

import (
	"errors"
	"fmt"
	"io/fs"
	"sync/atomic"
	"time"
)

// ErrClosed is returned by every call after Close.
var ErrClosed = errors.New("log is closed")

// Log is a durable log of records. Append, DropOldest, Tend, Try, Stats, Cursor and Empty are safe for concurrent use;
// Peek, Next, Rewind and Done belong to one reader.
type Log struct {
	opt      Options
	dir      *dir
	writer   *writer
	keeper   *keeper
	reader   *reader
	cursor   *cursorFile
	segments *list
	shrinker *shrinker
	readable chan struct{} // capacity 1: something became readable

	closed atomic.Bool
}

// Entry is a record read from the log.
type Entry struct {
	Record     []byte // the caller's
	Start, End Position
}

// Open reads the directory, creating it where needed, and leaves the log ready at its cursor. Its cost is one
// directory listing and one pass over the newest segment, whose torn tail is cut; nothing else is read. On a read-only
// disk it opens what is there, so that it can be read; appends and saves fail until the disk is writable.
func Open(opt Options) (*Log, error) {
	opt = opt.withDefaults()
	d := &dir{fs: opt.FS, path: opt.Dir, ensure: opt.MakeDir, own: opt.Owned}
	if err := d.ensure(); err != nil && !isReadOnly(err) {
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
	l.keeper = newKeeper(opt)
	go l.writer.run()
	go l.keeper.run()
	return l, nil
}

// recover makes the log of what is in the directory.
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
	l.opt.report(l.shrinker.removeForgotten())
	if len(l.segments.all()) > 0 {
		l.signal()
	}
	return nil
}

// Append writes a record, terminator included, and returns when it is as durable as Options.Sync says. On an error
// the record is not in the log.
func (l *Log) Append(record []byte) error { return l.AppendBefore(record, time.Time{}) }

// AppendBefore is Append, and fails with ErrStalled at limit at the latest, unless that is zero. A record that the disk has
// not begun to write by then is withdrawn; one that is being written is not read when the write ends after all.
func (l *Log) AppendBefore(record []byte, limit time.Time) error {
	if err := l.dir.own(); err != nil {
		return err
	}
	return l.writer.append(record, limit)
}

// Try reports whether a record of so many bytes could be appended now, as far as that can be known without one: whether
// the budget has room, and whether the disk accepts and syncs a new file. It is for a log that has refused something.
func (l *Log) Try(bytes int64) error {
	if err := l.dir.own(); err != nil {
		return err
	}
	if err := l.opt.Budget.Reserve(bytes); err != nil {
		return err
	}
	l.opt.Budget.Written(bytes)
	l.opt.Budget.Release(bytes)
	return l.keeper.call(l.dir.try)
}

// Readable signals after records were appended. It may signal when there is nothing left to read.
func (l *Log) Readable() <-chan struct{} { return l.readable }

func (l *Log) signal() {
	select {
	case l.readable <- struct{}{}:
	default:
	}
}

// Peek hands to visit the first unread record of the oldest segment that has one, and of the newest, until visit fails, and
// returns its error. It passes over what cannot be read now: Next may be able to read it later. The cost does not depend
// on the log's size. It is for the time before the first Next.
func (l *Log) Peek(visit func(record []byte) error) error {
	var ends []*file
	for _, f := range l.segments.all() {
		if _, _, ok := f.unread(); ok {
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

// Next returns a record not yet returned; ok is false when there is none now. Damage on the way is copied to the
// directory `quarantine`, counted, and passed over.
//
// Oldest first, records come in the order in which they were written. Newest first is by segment: the newest is sealed
// when its turn comes and read to its end, in the order of writing, before the next one is chosen. So what is newer than
// the last segment chosen waits for that segment's rest, at most Options.MaxSegmentBytes, and only one segment is read
// in part at any time: what the cursor has to hold does not grow with the log. Reading backwards would need an index.
func (l *Log) Next() (e Entry, ok bool, err error) {
	if err := l.dir.own(); err != nil {
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
			continue // somebody may have begun a newer one
		}
		met, err := l.reader.next(f)
		switch {
		case err != nil:
			return Entry{}, false, err
		case met.kind == aRecord:
			return clone(f, met), true, nil
		case met.kind != atEnd:
			_, allDone := f.progress()
			l.shrinker.progressed(0, allDone)
		}
	}
	return Entry{}, false, nil
}

// seal ends the growth of a segment.
func (l *Log) seal(f *file) error {
	return l.writer.call(func() error {
		l.writer.sealIf(f)
		return nil
	})
}

// Done says that a record has been dealt with and need not be kept. Records may be done in any order. One that is gone
// already, as after DropOldest, changes nothing.
func (l *Log) Done(e Entry) error {
	if err := l.dir.own(); err != nil {
		return err
	}
	if f := l.segments.numbered(e.Start.Segment); f != nil {
		allDone := f.markDone(e.Start.Offset, e.End.Offset)
		l.shrinker.progressed(e.End.Offset-e.Start.Offset, allDone)
	}
	return l.shrink(false)
}

// Tend makes up for what has failed before: it makes a directory again that was deleted or moved, saves a cursor that is
// not saved, and deletes the segments that are dealt with. It is for a timer; with nothing to make up for it costs one
// look at the disk. After Close it does nothing.
func (l *Log) Tend() error {
	if err := l.dir.own(); err != nil {
		return err
	}
	err := l.keeper.call(l.cursor.inPlace)
	if errors.Is(err, errTaken) {
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

// shrink saves the cursor when it is due, or now, and deletes the segments that are dealt with.
func (l *Log) shrink(now bool) error {
	if l.segments.drained() {
		// Everything has been dealt with: the last segment ends, so that it can go too.
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
	return l.keeper.call(l.shrinker.shrink)
}

// DropOldest deletes the oldest segment to make room and hands each of its records that Next has not returned to
// visit. Records that Next has returned stay the reader's. It returns true when the records are gone for good, and false
// when there are none to drop or when they are still there, whatever visit has seen. An error beside true says that this
// has made no room: the file stays, or others used what it left on a disk that is short.
func (l *Log) DropOldest(visit func(record []byte)) (dropped bool, err error) {
	if err := l.dir.own(); err != nil {
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
	before, limited := l.opt.Budget.Left()
	l.writer.sealIf(f)
	from, to := f.withhold()
	err := walk(f, from, to, func(met found) error {
		switch {
		case met.kind != aRecord:
			l.opt.damaged(corrupt(f, met))
		case !f.isDone(met.start): // in an earlier run
			visit(met.data)
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		// Somebody has deleted or moved it: there is room, and nothing that could be dropped. The active segment is sealed.
		return true, l.restore()
	}
	if err != nil {
		f.readmit()
		return false, err
	}
	dropped, err := l.shrinker.giveUp(f)
	if after, _ := l.opt.Budget.Left(); dropped && err == nil && limited && after <= before && l.opt.Budget.diskIsShort() {
		err = fmt.Errorf("%w: dropping a segment has freed nothing on the file system", ErrNoRoom)
	}
	return dropped, err
}

// restore makes the directory and the cursor again if somebody has deleted or moved them, and gives up the segments that
// went with them: their unread bytes count as damage. It runs in the writer's goroutine.
func (l *Log) restore() error {
	if err := l.dir.ensure(); err != nil {
		return fmt.Errorf("make the directory again: %w", full(err))
	}
	made, err := l.cursor.restore()
	if err != nil {
		return err
	}
	if made { // what is on disk says nothing about this run
		for _, f := range l.segments.all() {
			f.setForgotten(false)
		}
		l.shrinker.progressed(0, true)
	}
	l.writer.giveUpTaken()
	l.forgetTaken()
	return nil
}

// forgetTaken gives up the segments whose files are not there.
func (l *Log) forgetTaken() {
	taken, lost := 0, int64(0)
	for _, f := range l.segments.all() {
		if l.dir.has(f.String()) {
			continue
		}
		from, to := f.withhold()
		f.release()
		l.shrinker.forget(f)
		taken, lost = taken+1, lost+to-from
	}
	if taken == 0 {
		return
	}
	l.opt.report(fmt.Errorf("%w: %d segments with %d unread bytes", errTaken, taken, lost))
	if lost > 0 {
		l.opt.damaged(Damage{Kind: Taken, Path: l.dir.path, Bytes: lost})
	}
}

// Stats costs O(segments).
func (l *Log) Stats() Stats { return l.segments.stats() }

// Cursor returns the position before which everything has been dealt with.
func (l *Log) Cursor() Position { return l.segments.cursor() }

// Empty reports whether everything appended has been dealt with.
func (l *Log) Empty() bool { return l.segments.empty() }

// Close waits for writers, saves the cursor and closes the files. Nothing unread is deleted. Where the disk hangs it fails
// with ErrStalled, and what hangs ends when the disk lets it.
func (l *Log) Close() error {
	if l.closed.Swap(true) {
		return nil
	}
	err := l.writer.close()
	for _, f := range l.segments.all() {
		f.withhold()
		f.release()
	}
	if err == nil {
		err = l.keeper.call(l.shrinker.shrink)
	}
	if !errors.Is(err, ErrStalled) {
		err = errors.Join(err, l.keeper.call(l.cursor.close))
	}
	return errors.Join(err, l.keeper.close())
}

// Stalled reports whether the disk has kept a write for longer than a second.
func (l *Log) Stalled() bool { return l.writer.stalled() || l.keeper.stalled() }
