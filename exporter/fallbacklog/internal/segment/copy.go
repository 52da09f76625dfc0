package segment

import (
	"errors"
	"os"
	"time"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/seekable"
)

// errUnwanted says that a segment need not be compressed any more.
var errUnwanted = errors.New("not wanted any more")

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
