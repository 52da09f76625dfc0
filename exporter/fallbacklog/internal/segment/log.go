package segment

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"
	"time"
)

// ErrClosed is returned by every call after Close.
var ErrClosed = errors.New("log is closed")

// SyncMode says when an append is durable.
type SyncMode int

const (
	// SyncBatch makes a record durable before Append returns.
	SyncBatch SyncMode = iota
	// SyncInterval makes it durable within Options.SyncInterval: a power loss takes at most that much.
	SyncInterval
	// SyncNone leaves it to the kernel: a crash of the process loses nothing, a power loss up to half a minute.
	SyncNone
)

// Kind is a kind of segment: a file's extension, with the dot, says what format its records have.
type Kind struct {
	Extension string
	Format    Format
	// Compressible: such segments may be packed, then `.zst` follows the extension.
	Compressible bool
}

// Options of a log. Dir, Kind and Budget are required.
type Options struct {
	Dir    string
	Kind          // of the segments that are written
	Also   []Kind // other kinds that may be there and are read
	Budget *Budget
	FS     FS               // default OS{}
	Now    func() time.Time // default time.Now

	// Compress packs compressible segments once they are sealed, in the background.
	Compress bool

	// NewestFirst makes Next return what was appended last first. See Next.
	NewestFirst bool

	MaxSegmentBytes int64         // a segment is sealed before it would exceed this; one larger record has its own
	MaxSegmentAge   time.Duration // a segment is sealed by the first append after this age; 0: never
	Sync            SyncMode
	SyncInterval    time.Duration

	// MakeDir makes Dir when it is opened, and again when it has been deleted under way; default MakeDir.
	MakeDir func() error
	// Owned is asked before files are replaced by compressed ones: nil while Dir is nobody else's; default: it always is.
	Owned func() error

	// Observers; each may be nil. They must not call the log.
	OnSync   func(took time.Duration, err error)
	OnDamage func(bytes int64)               // bytes that were no record, or whose file has been taken away
	OnDone   func(segments int, bytes int64) // what Open finds and deletes, since the cursor says that it was dealt with
	OnError  func(err error)                 // errors that no caller sees: cursor, removal, quarantine, compression (ErrNotPacked)
}

// Log is a durable log of records. Append is safe for concurrent use; Next and Done belong to one reader.
type Log struct {
	opt Options

	// leader is held (by filling it) by whoever writes: the one caller of Append that commits for all that wait,
	// and whatever seals the active segment. It is always taken before mu.
	leader   chan struct{}
	active   *tail      // nil: the next append begins a segment
	unsynced []byte     // SyncInterval: what the active segment has since its last sync
	group    []byte     // the bytes of the group being written
	readMu   sync.Mutex // serialises Next and DropOldest; taken after leader, before mu
	reader   scanner
	reading  *info // segment that reader is in; nil: none

	saveMu sync.Mutex  // guards store; taken after readMu, before mu
	store  *cursorFile // the cursor on disk

	mu       sync.Mutex
	pending  []*commit
	segments []*info // oldest first
	next     uint64  // number of the next segment, from 1
	dirty    bool    // more has been dealt with than the cursor on disk says
	unsaved  int64   // bytes of it
	ripe     bool    // a segment has come to be spent
	savedAt  time.Time
	closed   bool
	ratio    float64 // of the last segment that was packed; 0: none was

	sealed   chan struct{} // capacity 1: there may be something to pack
	readable chan struct{} // capacity 1: something became readable
	stop     chan struct{}
	stopped  sync.WaitGroup
}

// tail is the active segment's file.
type tail struct {
	File
	info  *info
	path  string
	found fs.FileInfo // which file it is
	size  int64       // of the file, as far as it is known to be whole
}

// Open reads the directory, creating it where needed, and leaves the log ready at its cursor. Its cost is one
// directory listing and one pass over the newest segment, whose torn tail is cut; nothing else is read.
func Open(opt Options) (*Log, error) {
	if opt.FS == nil {
		opt.FS = OS{}
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Owned == nil {
		opt.Owned = func() error { return nil }
	}
	if opt.MakeDir == nil {
		opt.MakeDir = func() error { return MakeDir(opt.FS, opt.Dir) }
	}
	if err := opt.MakeDir(); err != nil {
		return nil, err
	}
	l := &Log{
		opt:      opt,
		leader:   make(chan struct{}, 1),
		readable: make(chan struct{}, 1),
		sealed:   make(chan struct{}, 1),
		stop:     make(chan struct{}),
	}
	if err := l.recover(); err != nil {
		if l.store != nil {
			err = errors.Join(err, l.store.close())
		}
		return nil, fmt.Errorf("recover %s: %w", opt.Dir, err)
	}
	if opt.Sync == SyncInterval {
		l.stopped.Add(1)
		go l.syncEvery(opt.SyncInterval)
	}
	if opt.Compress {
		l.stopped.Add(1)
		go l.packSealed()
	}
	return l, nil
}

// recover finds the segments and the cursor.
func (l *Log) recover() error {
	entries, err := l.opt.FS.ReadDir(l.opt.Dir)
	if err != nil {
		return err
	}
	kinds := append([]Kind{l.opt.Kind}, l.opt.Also...)
	for _, e := range entries {
		l.removeTemp(e, kinds)
		i := parseKinds(e.Name(), kinds)
		if i == nil || !e.Type().IsRegular() {
			continue
		}
		fi, err := e.Info()
		if err != nil {
			return err
		}
		if err := i.measure(l.opt.FS, l.opt.Dir, fi.Size()); err != nil {
			return err
		}
		l.segments = append(l.segments, i)
	}
	slices.SortStableFunc(l.segments, func(a, b *info) int { return cmp.Compare(a.number, b.number) })
	l.settlePairs()

	store, cursor, damaged, err := openCursor(l.opt.FS, l.opt.Dir)
	if err != nil {
		return err
	}
	l.store = store
	if damaged {
		l.report(errors.New("the cursor file is damaged: reading starts at the oldest record"))
	}
	l.next = max(1, cursor.next())
	if n := len(l.segments); n > 0 {
		l.next = max(l.next, l.segments[n-1].number) + 1
		if i := l.segments[n-1]; !i.packed {
			if err := l.cutTail(i); err != nil {
				return err
			}
		}
	}
	done, bytes := 0, int64(0)
	for _, i := range l.segments {
		cursor.apply(i)
		l.opt.Budget.Add(i.disk)
		if i.forgotten && i.size > 0 {
			done, bytes = done+1, bytes+i.disk
		}
	}
	if err := l.recoverQuarantine(); err != nil {
		return err
	}
	if done > 0 && l.opt.OnDone != nil {
		l.opt.OnDone(done, bytes)
	}
	l.report(l.removeDone())
	if len(l.segments) > 0 {
		l.signal()
		l.wakePacker()
	}
	return nil
}

// cutTail removes an unfinished record from the end of the newest segment: it was never acknowledged.
func (l *Log) cutTail(i *info) error {
	name := l.path(i)
	f, err := l.opt.FS.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // nothing written is left to lose
	s := scanner{format: i.kind.Format, file: f}
	for {
		found, err := s.next(i.size)
		if err != nil {
			return err
		}
		switch found.kind {
		case atEnd:
			return nil
		case torn:
			if err := f.Truncate(found.start); err != nil {
				return err
			}
			i.size, i.disk = found.start, found.start
			return f.Sync()
		case aRecord, damage: // damage is the reader's to set aside
		}
	}
}

// Readable signals after records were appended. It may signal when there is nothing left to read.
func (l *Log) Readable() <-chan struct{} { return l.readable }

func (l *Log) signal() {
	select {
	case l.readable <- struct{}{}:
	default:
	}
}

// Stats is a snapshot for telemetry.
type Stats struct {
	Segments int
	Bytes    int64 // on disk
	Unread   int64 // not dealt with, as appended
	// UnreadDisk is what Unread takes on disk, once what is to be compressed is.
	UnreadDisk int64
	Oldest     time.Time // when the oldest segment with unread records was begun; zero when there is none
	Begun      time.Time // when the oldest segment was begun; zero when there is none
}

// Stats costs O(segments).
func (l *Log) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	var s Stats
	ratio := l.packedRatio()
	for _, i := range l.segments {
		if s.Segments == 0 {
			s.Begun = i.created
		}
		s.Segments++
		s.Bytes += i.disk
		unread := i.size - i.done.length()
		s.Unread += unread
		switch {
		case i.packed && i.size > 0:
			s.UnreadDisk += int64(float64(unread) * float64(i.disk) / float64(i.size))
		case l.opt.Compress && i.kind.Compressible && !i.plain:
			s.UnreadDisk += int64(float64(unread) * ratio)
		default:
			s.UnreadDisk += unread
		}
		if s.Oldest.IsZero() && s.Unread > 0 {
			s.Oldest = i.created
		}
	}
	return s
}

// Cursor returns the position before which everything has been dealt with.
func (l *Log) Cursor() Position {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.snapshot(nil).Position
}

// Empty reports whether everything appended has been dealt with.
func (l *Log) Empty() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.settled()
}

// settled reports whether everything has been dealt with. The caller holds mu.
func (l *Log) settled() bool {
	return !slices.ContainsFunc(l.segments, func(i *info) bool { return !i.settled() })
}

// Close waits for writers, saves the cursor and closes the files. Nothing unread is deleted.
func (l *Log) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	l.mu.Unlock()
	close(l.stop)
	l.stopped.Wait()

	l.leader <- struct{}{}
	l.commitPending() // refuses: closed
	err := l.seal()
	<-l.leader

	l.readMu.Lock()
	l.stopReading(l.reading)
	l.readMu.Unlock()
	err = errors.Join(err, l.saveAndRemove(true))
	l.saveMu.Lock()
	defer l.saveMu.Unlock()
	return errors.Join(err, l.store.close())
}

func (l *Log) report(err error) {
	if l.opt.OnError != nil && err != nil {
		l.opt.OnError(err)
	}
}
