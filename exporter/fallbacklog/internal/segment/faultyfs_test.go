package segment

import (
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
)

// faultyFS is the operating system's file system with operations that fail if fail returns an error.
type faultyFS struct {
	OS
	mu     sync.Mutex
	fail   func(op, name string) error // nil: nothing fails
	onSync func() error
	syncs  int
	ops    []string // each with the base name of its file
	full   bool     // no free block: existing files can be overwritten and removed, nothing grows
}

// faultyOptions returns options for a log in a directory of the test, on a faultyFS.
func faultyOptions(t testing.TB) (Options, *faultyFS) {
	t.Helper()
	opt, fsys := options(t.TempDir()), &faultyFS{}
	opt.FS = fsys
	return opt, fsys
}

func (f *faultyFS) setFull(full bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.full = full
}

// grows fails if the disk is full.
func (f *faultyFS) grows() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.full {
		return syscall.ENOSPC
	}
	return nil
}

func (f *faultyFS) check(op, name string) error {
	f.mu.Lock()
	f.ops = append(f.ops, op+" "+filepath.Base(name))
	fail := f.fail
	f.mu.Unlock()
	if fail == nil {
		return nil
	}
	return fail(op, filepath.Base(name))
}

func (f *faultyFS) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	if err := f.check("open", name); err != nil {
		return nil, err
	}
	if _, err := os.Stat(name); flag&os.O_CREATE != 0 && err != nil {
		if err := f.grows(); err != nil {
			return nil, err
		}
	}
	file, err := f.OS.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return &faultyFile{file, f, name}, nil
}

func (f *faultyFS) Remove(name string) error {
	if err := f.check("remove", name); err != nil {
		return err
	}
	return f.OS.Remove(name)
}

func (f *faultyFS) Mkdir(name string, perm fs.FileMode) error {
	if err := f.OS.Mkdir(name, perm); err != nil {
		return err
	}
	return f.check("mkdir", name)
}

func (f *faultyFS) SyncDir(name string) error {
	return f.check("syncdir", name)
}

type faultyFile struct {
	File
	fs   *faultyFS
	name string
}

// Write writes half of the data before it fails, like a full disk.
func (f *faultyFile) Write(p []byte) (int, error) {
	if err := f.fs.check("write", f.name); err != nil {
		n, _ := f.File.Write(p[:len(p)/2])
		return n, err
	}
	if err := f.fs.grows(); err != nil {
		return 0, err
	}
	return f.File.Write(p)
}

// WriteAt writes half of the data before it fails.
func (f *faultyFile) WriteAt(p []byte, off int64) (int, error) {
	if err := f.fs.check("writeat", f.name); err != nil {
		n, _ := f.File.WriteAt(p[:len(p)/2], off)
		return n, err
	}
	if fi, err := os.Stat(f.name); err != nil || off+int64(len(p)) > fi.Size() {
		if err := f.fs.grows(); err != nil {
			return 0, err
		}
	}
	return f.File.WriteAt(p, off)
}

func (f *faultyFile) Sync() error {
	if f.fs.onSync != nil && filepath.Base(f.name) != cursorName {
		f.fs.syncs++
		if err := f.fs.onSync(); err != nil {
			return err
		}
	}
	return f.fs.check("sync", f.name) // no test here loses power, so a real sync would only cost time
}

func (f *faultyFile) Truncate(size int64) error {
	if err := f.fs.check("truncate", f.name); err != nil {
		return err
	}
	return f.File.Truncate(size)
}

func (f *faultyFile) ReadAt(p []byte, off int64) (int, error) {
	if err := f.fs.check("read", f.name); err != nil {
		return 0, err
	}
	return f.File.ReadAt(p, off)
}

func failing(which string, err error) func(op, name string) error {
	return func(op, _ string) error {
		if op == which {
			return err
		}
		return nil
	}
}
