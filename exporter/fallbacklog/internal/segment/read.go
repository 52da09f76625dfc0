package segment

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
)

// Entry is a record read from the log.
type Entry struct {
	Record     []byte // the caller's
	Start, End Position
}

// errUnsealed says that the segment whose turn it is has to be sealed first.
var errUnsealed = errors.New("segment is not sealed")

// Next returns a record not yet returned; ok is false when there is none now. Damage on the way is copied to the
// directory `quarantine`, counted, and passed over.
//
// Oldest first, records come in the order in which they were written. Newest first is by segment: the newest is sealed
// when its turn comes and read to its end, in the order of writing, before the next one is chosen. So what is newer than
// the last segment chosen waits for that segment's rest, at most Options.MaxSegmentBytes, and only one segment is read
// in part at any time: what the cursor has to hold does not grow with the log. Reading backwards would need an index.
func (l *Log) Next() (e Entry, ok bool, err error) {
	e, ok, err = l.readNext()
	if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errUnsealed) {
		return e, ok, err
	}
	l.leader <- struct{}{}
	defer func() { <-l.leader }()
	if errors.Is(err, fs.ErrNotExist) {
		if err := l.restore(); err != nil {
			return Entry{}, false, err
		}
	}
	if l.opt.NewestFirst {
		if err := l.seal(); err != nil {
			return Entry{}, false, err
		}
	}
	return l.readNext()
}

func (l *Log) readNext() (e Entry, ok bool, err error) {
	l.readMu.Lock()
	defer l.readMu.Unlock()
	for {
		i, at, limit := l.segmentToRead()
		if i == nil {
			return Entry{}, false, nil
		}
		if err := l.openReader(i, at); err != nil {
			return Entry{}, false, err
		}
		f, err := l.reader.next(limit)
		if err != nil {
			l.stopReading(i)
			return Entry{}, false, fmt.Errorf("read %s: %w", i.name(), err)
		}
		switch f.kind {
		case aRecord:
			l.passed(i, f, false)
			return Entry{
				Record: bytes.Clone(f.data), Start: Position{i.number, f.start}, End: Position{i.number, f.end},
			}, true, nil
		case damage, torn:
			l.quarantine(i, f)
			l.passed(i, f, true)
		case atEnd:
			l.stopReading(i) // it is chosen for having something below the limit
		}
	}
}

// segmentToRead returns the segment whose turn it is, nil where there is nothing to read, and what of it is to be read.
func (l *Log) segmentToRead() (i *info, from, to int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, 0, 0
	}
	if i = l.reading; i == nil || !i.unread() {
		i = l.choose()
	}
	if i == nil {
		return nil, 0, 0
	}
	return i, i.read, i.size
}

// choose returns the oldest segment with something to read, or the newest. The caller holds mu.
func (l *Log) choose() *info {
	for k := range l.segments {
		if l.opt.NewestFirst {
			k = len(l.segments) - 1 - k
		}
		if i := l.segments[k]; i.unread() {
			return i
		}
	}
	return nil
}

// unread reports whether there is something to read, and moves to where it begins.
func (i *info) unread() bool {
	i.read = i.done.past(i.read)
	return i.read < i.size
}

// openReader puts the reader at an offset of a segment.
func (l *Log) openReader(i *info, at int64) error {
	if l.reading == i && l.reader.file != nil && l.reader.off == at {
		return nil
	}
	l.mu.Lock()
	open := i.open
	l.mu.Unlock()
	if open && l.opt.NewestFirst {
		return errUnsealed
	}
	l.stopReading(l.reading)
	f, err := openContent(l.opt.FS, l.opt.Dir, i)
	if err != nil {
		return err
	}
	l.reader, l.reading = scanner{format: i.kind.Format, file: f, off: at}, i
	return nil
}

// stopReading closes the reader if it is in this segment. The caller holds readMu.
func (l *Log) stopReading(i *info) {
	if l.reading == i {
		l.reader.close()
		l.reading = nil
	}
}

// passed notes that the reader has gone over something, and that it is dealt with where it is no record.
func (l *Log) passed(i *info, f found, done bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i.read = f.end
	if done {
		l.settle(i, f.start, f.end)
	}
}
