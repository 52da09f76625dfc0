package fallbacklog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
)

// errOtherOwner means that another process has locked the directory.
var errOtherOwner = fmt.Errorf("another process has locked the directory after its lock file was deleted: stop one of the two, %w", segment.ErrInUse)

// errNoLock means that the directory has no lock yet, because the disk is read-only.
var errNoLock = fmt.Errorf("the directory cannot be locked: %w", syscall.EROFS)

// lockFileSystem is the file system of the lock file.
type lockFileSystem interface {
	segment.Locker
	Stat(name string) (fs.FileInfo, error)
}

// owner owns the lock of a component's directory. The lock is on a file. If that file is deleted owner creates and locks it
// again, unless another process has done so. It is safe for concurrent use.
type owner struct {
	fs   lockFileSystem
	name string // of the lock file

	mu   sync.Mutex
	lock segment.Lock // nil: there is none yet
	// denied is why the directory must not be used; nil: it may be used.
	denied atomic.Pointer[error]
}

// A search for orphans locks a directory for a moment, so the lock is tried several times.
const (
	lockAttempts = 3
	lockPause    = 20 * time.Millisecond
)

// lockDirectory locks the directory. On a read-only disk without a lock file the first check after the disk has become writable
// locks it.
func lockDirectory(fsys lockFileSystem, name string, readOnly bool) (*owner, error) {
	o := &owner{fs: fsys, name: name}
	lock, err := fsys.Lock(name)
	for n := 0; errors.Is(err, segment.ErrInUse) && n < lockAttempts; n++ {
		time.Sleep(lockPause)
		lock, err = fsys.Lock(name)
	}
	if readOnly && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.EROFS)) {
		o.denied.Store(&errNoLock)
		return o, nil
	}
	if err != nil {
		return nil, err
	}
	o.lock = lock
	return o, nil
}

// check verifies that this process still owns the directory, which must exist.
func (o *owner) check() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	err := o.checkLocked()
	switch {
	case errors.Is(err, segment.ErrInUse):
		o.denied.Store(&errOtherOwner)
	case o.lock != nil:
		o.denied.Store(nil)
	}
	return err
}

// checkLocked is check for a caller that has locked mu.
func (o *owner) checkLocked() error {
	if o.lock == nil {
		lock, err := o.fs.Lock(o.name)
		if err == nil {
			o.lock = lock
		}
		return err
	}
	want, err := o.lock.Stat()
	if err != nil {
		return err
	}
	actual, err := o.fs.Stat(o.name)
	switch {
	case err == nil && os.SameFile(want, actual):
		return nil
	case err == nil:
		return errOtherOwner
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	lock, err := o.fs.Lock(o.name)
	if err != nil {
		return err
	}
	old := o.lock
	o.lock = lock
	return old.Close()
}

// err returns why the directory must not be used, or nil, according to the last check.
func (o *owner) err() error {
	if denied := o.denied.Load(); denied != nil {
		return *denied
	}
	return nil
}

func (o *owner) close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.lock == nil {
		return nil
	}
	return o.lock.Close()
}
