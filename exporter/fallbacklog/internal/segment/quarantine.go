package segment

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// quarantineDir is the directory of copies of damaged bytes, for an operator to look at. They count against the budget,
// including those of earlier runs, and are deleted first when records need the room.
const quarantineDir = "quarantine"

// quarantine keeps copies of damage.
type quarantine struct {
	dir    *dir
	budget *Budget
	report func(error)
}

func (q *quarantine) path(name string) string { return filepath.Join(q.dir.join(quarantineDir), name) }

// keep copies damaged bytes if the budget has room.
func (q *quarantine) keep(f *file, p piece) {
	size := int64(len(p.data))
	if q.budget.Reserve(size) != nil {
		return
	}
	path := q.path(fmt.Sprintf("%s.%020d", f.stem(), p.start))
	err := MakeDir(q.dir.fs, q.dir.join(quarantineDir))
	if err == nil {
		err = q.write(path, p.data)
	}
	q.budget.Written(size)
	if err == nil {
		q.addSpare(path, size)
		return
	}
	q.budget.Release(size)
	if !errors.Is(err, fs.ErrExist) { // the same bytes were read before a crash: their copy is counted already
		q.report(fmt.Errorf("quarantine: %w", err))
	}
}

func (q *quarantine) write(path string, data []byte) error {
	f, err := q.dir.fs.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, FileMode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return errors.Join(err, q.dir.fs.Remove(path))
	}
	return nil
}

// recover adds the copies of earlier runs to the budget. Their names sort by age.
func (q *quarantine) recover() error {
	entries, err := q.dir.fs.ReadDir(q.dir.join(quarantineDir))
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
		q.budget.Add(fi.Size())
		q.addSpare(q.path(e.Name()), fi.Size())
	}
	return nil
}

func (q *quarantine) addSpare(path string, size int64) {
	q.budget.addSpare(size, func() bool {
		err := q.dir.fs.Remove(path)
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			return true
		}
		q.report(fmt.Errorf("make room: %w", err))
		return false
	})
}
