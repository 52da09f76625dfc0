package segment

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// quarantineDir holds copies of bytes that were no record, for a human to look at. They count against the budget, also
// those of earlier runs, and are the first to go when records need the room.
const quarantineDir = "quarantine"

// quarantine keeps a copy of damaged bytes, where the budget has room, and counts them.
func (l *Log) quarantine(i *info, f found) {
	if l.opt.OnDamage != nil {
		l.opt.OnDamage(f.end - f.start)
	}
	size := int64(len(f.data))
	if l.opt.Budget.Reserve(size) != nil {
		return
	}
	dir := filepath.Join(l.opt.Dir, quarantineDir)
	name := filepath.Join(dir, fmt.Sprintf("%s.%020d", i.stem(), f.start))
	if f.packed {
		name += packedSuffix
	}
	err := MakeDir(l.opt.FS, dir)
	if err == nil {
		err = l.writeQuarantine(name, f.data)
	}
	if err != nil {
		l.opt.Budget.Release(size)
		if errors.Is(err, fs.ErrExist) {
			return // read again after a crash: its copy is counted already
		}
		l.report(fmt.Errorf("quarantine: %w", err))
		return
	}
	l.spare(name, size)
}

func (l *Log) writeQuarantine(name string, data []byte) error {
	f, err := l.opt.FS.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, FileMode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return errors.Join(err, l.opt.FS.Remove(name))
	}
	return nil
}

// recoverQuarantine accounts for the copies of earlier runs: their names sort by age.
func (l *Log) recoverQuarantine() error {
	dir := filepath.Join(l.opt.Dir, quarantineDir)
	entries, err := l.opt.FS.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue
		}
		fi, err := e.Info()
		if err != nil {
			return err
		}
		l.opt.Budget.Add(fi.Size())
		l.spare(filepath.Join(dir, e.Name()), fi.Size())
	}
	return nil
}

func (l *Log) spare(name string, size int64) {
	l.opt.Budget.Spare(size, func() bool {
		err := l.opt.FS.Remove(name)
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			return true
		}
		l.report(fmt.Errorf("make room: %w", err))
		return false
	})
}
