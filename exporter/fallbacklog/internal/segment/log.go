package segment

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"time"
)

// ErrClosed is returned by every call after Close.
var ErrClosed = errors.New("log is closed")

// The cursor is saved at the latest after this much progress, which bounds what a crash repeats.
const (
	cursorEvery      = time.Second
	cursorEveryBytes = 8 << 20
)

// Log is a durable log of records. Append, DropOldest, Tend, Try, Stats, Cursor and Empty are safe for concurrent use;
// Peek, Next, Rewind and Done belong to one reader.
type Log struct {
	opt      Options
	dir      *dir
	writer   *writer
	keeper   *keeper
	reader   *reader
	cursor   *cursorFile
	readable chan struct{} // capacity 1: something became readable

	mu sync.Mutex
	// files are the segments, oldest first. The slice is replaced, never changed, so that a copy of it is a snapshot.
	files []*file
	// next is the number of the next segment, from 1.
	next uint64
	// unsaved is what the cursor on disk does not say yet.
	unsaved progress
	savedAt time.Time
	closed  bool
}

// progress is what has happened since a save of the cursor.
type progress struct {
	dirty     bool  // something has been dealt with
	bytes     int64 // so many bytes by Done
	canDelete bool  // a segment has become allDone
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
	l.writer = newWriter(opt, d, (*writersLog)(l))
	l.keeper = newKeeper(opt)
	l.reader = &reader{
		newestFirst: opt.NewestFirst, damaged: l.opt.damaged,
		quarantine: &quarantine{dir: d, budget: opt.Budget, report: opt.report},
	}
	if err := l.recover(); err != nil {
		if l.cursor != nil {
			err = errors.Join(err, l.cursor.close())
		}
		return nil, fmt.Errorf("recover %s: %w", opt.Dir, err)
	}
	go l.writer.run()
	go l.keeper.run()
	return l, nil
}

// recover finds the segments and the cursor.
func (l *Log) recover() error {
	compressed, err := l.find()
	if err != nil {
		return err
	}
	var damaged bool
	var saved cursor
	if l.cursor, saved, damaged, err = openCursor(l.dir); err != nil {
		return err
	}
	if err := l.refuse(compressed, saved); err != nil {
		return err
	}
	if damaged {
		l.opt.report(errors.New("the cursor file is damaged: reading starts at the oldest record"))
	}
	l.next = max(1, saved.next())
	if n := len(l.files); n > 0 {
		l.next = max(l.next, l.files[n-1].number) + 1
		if err := l.files[n-1].cutTail(); err != nil {
			return err
		}
	}
	for _, d := range saved.contradicted(l.dir, l.files) {
		l.opt.damaged(d)
	}
	done, bytes := 0, int64(0)
	for _, f := range l.files {
		f.done = saved.done(f.number, f.size)
		f.forgotten = f.settledLocked()
		l.opt.Budget.Add(f.disk)
		if f.forgotten && f.size > 0 {
			done, bytes = done+1, bytes+f.disk
		}
	}
	if err := l.reader.quarantine.recover(); err != nil {
		return err
	}
	if done > 0 && l.opt.OnDone != nil {
		l.opt.OnDone(done, bytes)
	}
	l.opt.report(l.removeForgotten())
	if len(l.files) > 0 {
		l.signal()
	}
	return nil
}

// find lists the segments, and returns those that an earlier version compressed.
func (l *Log) find() (compressed []name, err error) {
	entries, err := l.dir.list()
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // it could not be made on a read-only disk
		return nil, err
	}
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue
		}
		if n, ok := parseCompressed(e.Name(), l.opt.kinds()...); ok {
			compressed = append(compressed, n)
		}
		n, ok := parseName(e.Name(), l.opt.kinds()...)
		if !ok {
			continue
		}
		fi, err := e.Info()
		if err != nil {
			return nil, err
		}
		l.files = append(l.files, &file{name: n, dir: l.dir, size: fi.Size(), disk: fi.Size(), sealed: true})
	}
	slices.SortStableFunc(l.files, func(a, b *file) int { return cmp.Compare(a.number, b.number) })
	return compressed, nil
}

// refuse fails where segments that an earlier version compressed are not done, unless somebody else says so: their
// records would be passed over.
func (l *Log) refuse(compressed []name, saved cursor) error {
	var unread []string
	for _, n := range compressed {
		if n.number >= saved.Segment {
			unread = append(unread, l.dir.join(n.String()+compressedSuffix))
		}
	}
	switch {
	case len(unread) == 0:
		return nil
	case l.opt.OnCompressed != nil:
		l.opt.OnCompressed(&CompressedError{Files: unread})
		return nil
	}
	return &CompressedError{Files: unread}
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
	for _, f := range l.list() {
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
	for _, f := range l.list() {
		f.rewind()
	}
}

func (l *Log) readNext() (Entry, bool, error) {
	for !l.isClosed() {
		f := l.reader.choose(l.list())
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
			l.progressed(0, allDone)
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
	files := l.list()
	k, ok := slices.BinarySearchFunc(files, e.Start.Segment, func(f *file, n uint64) int { return cmp.Compare(f.number, n) })
	if ok {
		allDone := files[k].markDone(e.Start.Offset, e.End.Offset)
		l.progressed(e.End.Offset-e.Start.Offset, allDone)
	}
	return l.shrink(false)
}

func (l *Log) progressed(bytes int64, allDone bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unsaved.dirty = true
	l.unsaved.bytes += bytes
	l.unsaved.canDelete = l.unsaved.canDelete || allDone
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
	if l.drained() {
		// Everything has been dealt with: the last segment ends, so that it can go too.
		err := l.writer.call(func() error {
			if l.drained() { // nothing was appended in the meantime
				l.writer.seal()
			}
			return nil
		})
		if err != nil {
			return err
		}
		now = true
	}
	return l.saveAndRemove(now)
}

// drained reports whether there are segments but nothing in them that is not dealt with.
func (l *Log) drained() bool {
	files := l.list()
	return len(files) > 0 && allSettled(files)
}

func allSettled(files []*file) bool {
	return !slices.ContainsFunc(files, func(f *file) bool { return !f.settled() })
}

// saveAndRemove saves the cursor when it is due and then deletes the segments that are dealt with, in this order: a
// segment goes only when the durable cursor covers it.
func (l *Log) saveAndRemove(now bool) error {
	l.mu.Lock()
	due := now || l.unsaved.canDelete || l.unsaved.bytes >= cursorEveryBytes || l.opt.Now().Sub(l.savedAt) >= cursorEvery
	dirty := l.unsaved.dirty
	l.mu.Unlock()
	if !due {
		return nil
	}
	return l.keeper.call(func() error {
		if dirty {
			if err := l.save(nil); err != nil {
				return err
			}
		}
		l.opt.report(l.removeForgotten())
		return nil
	})
}

// save makes the cursor durable, as if also all of gone, which may be nil, had been dealt with.
func (l *Log) save(gone *file) error {
	var saved progress
	var allDone []*file
	err := l.cursor.save(func() (c cursor) {
		c, allDone, saved = l.snapshot(gone)
		return c
	})
	if err != nil {
		l.progressed(saved.bytes, saved.canDelete)
		return err
	}
	for _, f := range allDone {
		f.setForgotten(true)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.savedAt = l.opt.Now()
	return nil
}

// snapshot returns the cursor as it should be on disk, the segments that it covers as a whole, and the progress that it
// includes, which counts as saved from now on.
func (l *Log) snapshot(gone *file) (c cursor, allDone []*file, included progress) {
	l.mu.Lock()
	files, included := l.files, l.unsaved
	c.Position = Position{l.next, 0}
	l.unsaved = progress{}
	l.mu.Unlock()
	first := true
	for _, f := range files {
		done, all := f.progress()
		if all || f == gone {
			allDone = append(allDone, f)
		}
		if f == gone {
			size, _, _ := f.usage()
			done = spans{{0, size}}
		}
		if first {
			if all || f == gone {
				continue
			}
			first = false
			c.Position = Position{f.number, done.past(0)}
			if len(done) > 0 && done[0].from == 0 {
				done = done[1:]
			}
		}
		for _, s := range done {
			c.Done = append(c.Done, doneRange{f.number, s})
		}
	}
	return c, allDone, included
}

// removeForgotten deletes the segments that the durable cursor does not need, oldest first, and stops at the first that
// cannot be deleted.
func (l *Log) removeForgotten() error {
	older := false // an older segment stays
	for _, f := range l.list() {
		// A segment that is removed before an older one must be durably gone before the cursor stops naming it, which the
		// next save does.
		removed, err := f.remove(older)
		if err != nil {
			return fmt.Errorf("delete a segment: %w", err)
		}
		if !removed {
			older = true
			continue
		}
		l.forget(f)
	}
	return nil
}

// forget removes a segment from the list whose file is gone. Only the first call for a segment does.
func (l *Log) forget(f *file) {
	l.mu.Lock()
	had := len(l.files)
	l.files = slices.DeleteFunc(slices.Clone(l.files), func(g *file) bool { return g == f })
	first := len(l.files) < had
	l.mu.Unlock()
	if first {
		_, _, disk := f.usage()
		l.opt.Budget.Release(disk)
	}
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
	files := l.list()
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
	dropped, err := l.giveUp(f)
	if after, _ := l.opt.Budget.Left(); dropped && err == nil && limited && after <= before && l.opt.Budget.diskIsShort() {
		err = fmt.Errorf("%w: dropping a segment has freed nothing on the file system", ErrNoRoom)
	}
	return dropped, err
}

// giveUp moves the cursor behind the oldest segment and deletes it. Nothing has changed where the cursor cannot be
// saved: a restart would bring back what counts as gone in memory.
func (l *Log) giveUp(f *file) (bool, error) {
	_, allDone := f.progress()
	if !f.isForgotten() {
		if err := l.save(f); err != nil {
			f.readmit()
			return false, err
		}
	}
	size, _, _ := f.usage()
	f.markDone(0, size) // as the cursor says already
	err := l.removeForgotten()
	return !allDone || err == nil, err
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
		for _, f := range l.list() {
			f.setForgotten(false)
		}
		l.progressed(0, true)
	}
	l.writer.giveUpTaken()
	l.forgetTaken()
	return nil
}

// forgetTaken gives up the segments whose files are not there.
func (l *Log) forgetTaken() {
	taken, lost := 0, int64(0)
	for _, f := range l.list() {
		if l.dir.has(f.String()) {
			continue
		}
		from, to := f.withhold()
		f.release()
		l.forget(f)
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

// Stats is a snapshot for telemetry.
type Stats struct {
	Segments int
	Bytes    int64     // on disk
	Unread   int64     // not dealt with
	Oldest   time.Time // when the oldest segment with unread records was begun; zero when there is none
	Begun    time.Time // when the oldest segment was begun; zero when there is none
}

// Stats costs O(segments).
func (l *Log) Stats() Stats {
	var s Stats
	for _, f := range l.list() {
		_, undone, disk := f.usage()
		if s.Segments == 0 {
			s.Begun = f.created
		}
		s.Segments++
		s.Bytes += disk
		s.Unread += undone
		if s.Oldest.IsZero() && s.Unread > 0 {
			s.Oldest = f.created
		}
	}
	return s
}

// Cursor returns the position before which everything has been dealt with.
func (l *Log) Cursor() Position {
	l.mu.Lock()
	files, next := l.files, l.next
	l.mu.Unlock()
	for _, f := range files {
		if done, allDone := f.progress(); !allDone {
			return Position{f.number, done.past(0)}
		}
	}
	return Position{next, 0}
}

// Empty reports whether everything appended has been dealt with.
func (l *Log) Empty() bool { return allSettled(l.list()) }

// Close waits for writers, saves the cursor and closes the files. Nothing unread is deleted. Where the disk hangs it fails
// with ErrStalled, and what hangs ends when the disk lets it.
func (l *Log) Close() error {
	l.mu.Lock()
	closed := l.closed
	l.closed = true
	l.mu.Unlock()
	if closed {
		return nil
	}
	err := l.writer.close()
	for _, f := range l.list() {
		f.withhold()
		f.release()
	}
	if err == nil {
		err = l.saveAndRemove(true)
	}
	if !errors.Is(err, ErrStalled) {
		err = errors.Join(err, l.keeper.call(l.cursor.close))
	}
	return errors.Join(err, l.keeper.close())
}

// Stalled reports whether the disk has kept a write for longer than a second.
func (l *Log) Stalled() bool { return l.writer.stalled() || l.keeper.stalled() }

func (l *Log) list() []*file {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.files
}

func (l *Log) isClosed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}

// writersLog is the log as the writer sees it.
type writersLog Log

var _ home = (*writersLog)(nil)

func (w *writersLog) log() *Log { return (*Log)(w) }

func (w *writersLog) number() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.next++
	return w.next - 1
}

func (w *writersLog) add(f *file) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.files = append(slices.Clip(w.files), f)
}

func (w *writersLog) sealed(f *file, allDone, keep bool) {
	if !keep {
		w.log().forget(f)
		w.opt.report(w.dir.remove(f.String()))
		return
	}
	if allDone {
		w.log().progressed(0, true)
	}
}

func (w *writersLog) restore() error { return w.log().restore() }

func (w *writersLog) appended() { w.log().signal() }
