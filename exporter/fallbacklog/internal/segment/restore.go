package segment

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// errTaken marks a file that is not where the log has put it, so that nobody would find it: somebody has deleted or
// moved it.
var errTaken = errors.New("files of the log have been taken away")

func (l *Log) path(i *info) string { return filepath.Join(l.opt.Dir, i.name()) }

// inPlace returns nil when name is f, and errTaken when it is not.
func (l *Log) inPlace(f File, name string) error {
	have, err := f.Stat()
	if err != nil {
		return err
	}
	return l.isAt(have, name)
}

// isAt is inPlace for a file whose Stat is known: one look at the disk.
func (l *Log) isAt(have fs.FileInfo, name string) error {
	there, err := l.opt.FS.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", errTaken, err)
	}
	if err != nil {
		return err
	}
	if !os.SameFile(have, there) {
		return fmt.Errorf("%w: %s is another file", errTaken, name)
	}
	return nil
}

// tendDir looks whether the directory is as it was left, by the cursor file, and restores it where it is not.
func (l *Log) tendDir() error {
	l.leader <- struct{}{}
	defer func() { <-l.leader }()
	l.saveMu.Lock()
	var err error
	if l.store.file != nil {
		err = l.inPlace(l.store.file, filepath.Join(l.opt.Dir, cursorName))
	}
	l.saveMu.Unlock()
	if errors.Is(err, errTaken) {
		return l.restore()
	}
	return err
}

// restore makes the directory and the cursor again where they have been taken away, and gives up the segments that
// have: their unread bytes are counted as damage. The caller holds leader.
func (l *Log) restore() error {
	l.readMu.Lock()
	defer l.readMu.Unlock()
	return l.restoreLocked()
}

// restoreLocked is restore for a caller that holds readMu too.
func (l *Log) restoreLocked() error {
	if err := l.opt.MakeDir(); err != nil {
		return fmt.Errorf("make the directory again: %w", full(err))
	}
	l.saveMu.Lock()
	defer l.saveMu.Unlock()
	if l.store.file == nil {
		return ErrClosed
	}
	if err := l.inPlace(l.store.file, filepath.Join(l.opt.Dir, cursorName)); errors.Is(err, errTaken) {
		store, _, _, err := openCursor(l.opt.FS, l.opt.Dir)
		if err != nil {
			return err
		}
		l.report(l.store.close())
		l.store = store
		l.mu.Lock()
		l.dirty, l.ripe = true, true // what is on disk says nothing about this run
		for _, i := range l.segments {
			i.forgotten = false
		}
		l.mu.Unlock()
	} else if err != nil {
		return err
	}
	if a := l.active; a != nil && errors.Is(l.inPlace(a.File, l.path(a.info)), errTaken) {
		l.report(l.endActive())
		l.unsynced = nil
	}
	l.forgetTaken()
	return nil
}

// forgetTaken gives up the segments whose files are not there. The caller holds leader and readMu.
func (l *Log) forgetTaken() {
	l.mu.Lock()
	segments := l.segments
	l.mu.Unlock()
	var kept []*info
	var lost int64
	for _, i := range segments {
		if _, err := l.opt.FS.Stat(l.path(i)); !errors.Is(err, fs.ErrNotExist) {
			kept = append(kept, i)
			continue
		}
		l.mu.Lock()
		lost += i.size - i.read
		l.mu.Unlock()
		l.stopReading(i)
		l.opt.Budget.Release(i.disk)
	}
	if len(kept) == len(segments) {
		return
	}
	l.mu.Lock()
	l.segments = kept
	l.mu.Unlock()
	l.report(fmt.Errorf("%w: %d segments with %d unread bytes", errTaken, len(segments)-len(kept), lost))
	if l.opt.OnDamage != nil && lost > 0 {
		l.opt.OnDamage(lost)
	}
}
