package segment

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/seekable"
)

// ErrNotPacked says that a segment stays as it was appended, since it could not be compressed.
var ErrNotPacked = errors.New("a segment stays uncompressed")

// errUnwanted says that a segment need not be compressed any more.
var errUnwanted = errors.New("not wanted any more")

// maxPause bounds the pause after a frame: a clock may jump.
const maxPause = 100 * time.Millisecond

// wakePacker says that there may be something to pack.
func (l *Log) wakePacker() {
	select {
	case l.sealed <- struct{}{}:
	default:
	}
}

// packSealed is the worker of Options.Compress.
func (l *Log) packSealed() {
	defer l.stopped.Done()
	for {
		select {
		case <-l.stop:
			return
		case <-l.sealed:
			for l.packNext(l.pause) {
			}
		}
	}
}

// packNext compresses one segment, and reports whether there may be another one. A segment that it fails with stays
// plain until the next Open. rest is called after each frame with how long it took. Nobody else calls it while the worker
// runs.
func (l *Log) packNext(rest func(time.Duration)) bool {
	i := l.toPack()
	if i == nil {
		return false
	}
	done, ok := l.opt.Budget.turnToCopy(l.stop)
	if !ok {
		return false
	}
	defer done()
	switch err := l.pack(i, rest); {
	case errors.Is(err, errUnwanted), err != nil && !l.wanted(i):
		return l.toPack() != i // it still is where the log is being closed, or is somebody else's
	case err != nil:
		l.mu.Lock()
		i.plain = true
		l.mu.Unlock()
		l.report(fmt.Errorf("%w: %s: %w", ErrNotPacked, i.stem(), full(err)))
	}
	return true
}

// toPack returns the sealed segment whose turn to be read comes last: the others may be spent before they are compressed.
func (l *Log) toPack() *info {
	l.mu.Lock()
	defer l.mu.Unlock()
	for k := range l.segments {
		if !l.opt.NewestFirst {
			k = len(l.segments) - 1 - k
		}
		if i := l.segments[k]; i.kind.Compressible && !i.open && !i.packed && !i.plain && i.size > 0 && !i.spent() {
			return i
		}
	}
	return nil
}

// wanted reports whether a segment is still there, ours, and needed.
func (l *Log) wanted(i *info) bool {
	if l.opt.Owned() != nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.closed && slices.Contains(l.segments, i) && !i.spent()
}

// pack compresses a segment into a file beside it and puts that in its place. No lock is held while it compresses.
func (l *Log) pack(i *info, rest func(time.Duration)) (err error) {
	if !l.wanted(i) {
		return errUnwanted
	}
	from, err := openContent(l.opt.FS, l.opt.Dir, i)
	if err != nil {
		return err
	}
	temp := l.path(i) + packedSuffix + tempSuffix
	f, err := l.opt.FS.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, FileMode)
	if err != nil {
		return errors.Join(err, from.Close())
	}
	c := &spender{file: f, budget: l.opt.Budget}
	err = l.compress(i, from, c, rest)
	_ = from.Close() // opened for reading; where open files cannot be removed it may not be open any more
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = l.adopt(i, temp, c)
	}
	if err != nil {
		l.removeCopy(temp, c.hand())
	}
	return err
}

// removeCopy removes a copy in the making, which has so many bytes of the budget. Where that fails it goes when room is
// needed.
func (l *Log) removeCopy(name string, bytes int64) {
	if err := l.opt.FS.Remove(name); err != nil && !os.IsNotExist(err) {
		l.report(err)
		l.spare(name, bytes)
		return
	}
	l.opt.Budget.Release(bytes)
}

// compress writes the segment's records to c, as many whole ones in a frame as it holds.
func (l *Log) compress(i *info, from content, c *spender, rest func(time.Duration)) error {
	w, err := seekable.NewWriter(c)
	if err != nil {
		return err
	}
	l.mu.Lock()
	size := i.size
	l.mu.Unlock()
	s := scanner{format: i.kind.Format, file: from}
	frame := make([]byte, 0, seekable.MaxFrame)
	begun := l.opt.Now()
	flush := func(b []byte) error {
		if len(b) == 0 {
			return nil
		}
		if !l.wanted(i) {
			return errUnwanted
		}
		if err := w.Frame(b); err != nil {
			return err
		}
		rest(l.opt.Now().Sub(begun))
		begun = l.opt.Now()
		return nil
	}
	for {
		f, err := s.next(size)
		if err != nil {
			return err
		}
		if len(frame)+len(f.raw) > cap(frame) || f.kind == atEnd {
			if err := flush(frame); err != nil {
				return err
			}
			frame = frame[:0]
		}
		if f.kind == atEnd {
			return w.Close()
		}
		for len(f.raw) > cap(frame) { // a record of several frames
			if err := flush(f.raw[:cap(frame)]); err != nil {
				return err
			}
			f.raw = f.raw[cap(frame):]
		}
		frame = append(frame, f.raw...)
	}
}

// pause waits for as long as a frame took: what is appended meanwhile needs the processor, too.
func (l *Log) pause(d time.Duration) {
	if d = min(d, maxPause); d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-l.stop:
	}
}

// adopt puts the compressed copy in the segment's place: its name is durable before the plain file goes. What has been
// reserved for the copy is the segment's then.
func (l *Log) adopt(i *info, temp string, c *spender) error {
	l.readMu.Lock()
	defer l.readMu.Unlock()
	l.saveMu.Lock()
	defer l.saveMu.Unlock()
	if err := l.removeTwin(i); err != nil {
		return err
	}
	if !l.wanted(i) || c.spent >= i.disk {
		l.mu.Lock()
		i.plain = true
		l.mu.Unlock()
		return errUnwanted
	}
	plain := l.path(i)
	if err := l.opt.FS.Rename(temp, plain+packedSuffix); err != nil {
		return err
	}
	twin := func(n int64) {
		l.mu.Lock()
		defer l.mu.Unlock()
		i.twin, i.twinDisk, i.disk = true, n, i.disk+n
	}
	if err := l.opt.FS.SyncDir(l.opt.Dir); err != nil {
		// The plain one stays: a crash may take the other one's name.
		if rerr := l.opt.FS.Remove(plain + packedSuffix); rerr != nil {
			twin(c.hand())
			return errors.Join(err, rerr)
		}
		l.opt.Budget.Release(c.hand())
		return err
	}
	if l.reading == i {
		l.reader.close() // it goes on at i.read
	}
	length := c.hand()
	l.mu.Lock()
	had := i.disk
	i.packed, i.disk, l.ratio = true, length, float64(length)/float64(i.size)
	l.mu.Unlock()
	if err := l.opt.FS.Remove(plain); err != nil && !os.IsNotExist(err) {
		twin(had)
		l.report(err)
		return nil
	}
	l.opt.Budget.Release(had)
	return nil
}

// packedRatio is what packing leaves of a segment, 1 where that is not known. The caller holds mu.
func (l *Log) packedRatio() float64 {
	if l.ratio > 0 {
		return l.ratio
	}
	for _, i := range l.segments {
		if i.packed && i.size > 0 {
			return float64(i.disk) / float64(i.size)
		}
	}
	return 1
}

// spender is a file that takes what it writes from a budget before.
type spender struct {
	file   File
	budget *Budget
	spent  int64
}

func (s *spender) Write(p []byte) (int, error) {
	if err := s.budget.ReserveCopy(int64(len(p))); err != nil {
		return 0, err
	}
	s.spent += int64(len(p))
	return s.file.Write(p)
}

// hand returns what has been spent, which is somebody else's from then on.
func (s *spender) hand() int64 {
	n := s.spent
	s.spent = 0
	return n
}
