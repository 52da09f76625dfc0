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

// errUsurped says that somebody else has the directory now.
var errUsurped = fmt.Errorf("its lock was deleted, and there is another one now: stop one of the two, %w", segment.ErrLocked)

// errNoLock says that there is no lock yet, since the disk is read-only.
var errNoLock = fmt.Errorf("the directory cannot be locked: %w", syscall.EROFS)

// owner holds the lock of a component's directory. A lock is a file's, and a file can be deleted: then it is made and
// locked again, unless somebody else has made one. Safe for concurrent use.
type owner struct {
	fs   segment.FS
	name string // of the lock file

	mu   sync.Mutex
	held segment.Lock // nil: there is none yet
	// denied is why the directory may not be used; nil: it may.
	denied atomic.Pointer[error]
}

// Somebody who looks for orphans has the lock for a moment: it is asked for again.
const (
	lockAttempts = 3
	lockPause    = 20 * time.Millisecond
)

// own locks the directory. On a read-only disk without a lock file the first check after the disk has healed takes it.
func own(fsys segment.FS, name string, readOnly bool) (*owner, error) {
	o := &owner{fs: fsys, name: name}
	held, err := fsys.Lock(name)
	for n := 0; errors.Is(err, segment.ErrLocked) && n < lockAttempts; n++ {
		time.Sleep(lockPause)
		held, err = fsys.Lock(name)
	}
	if readOnly && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.EROFS)) {
		o.denied.Store(&errNoLock)
		return o, nil
	}
	if err != nil {
		return nil, err
	}
	o.held = held
	return o, nil
}

// check makes sure that the directory, which is there, is ours.
func (o *owner) check() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	err := o.look()
	switch {
	case errors.Is(err, segment.ErrLocked):
		o.denied.Store(&errUsurped)
	case o.held != nil:
		o.denied.Store(nil)
	}
	return err
}

// look is check for a caller that holds mu.
func (o *owner) look() error {
	if o.held == nil {
		held, err := o.fs.Lock(o.name)
		if err == nil {
			o.held = held
		}
		return err
	}
	have, err := o.held.Stat()
	if err != nil {
		return err
	}
	there, err := o.fs.Stat(o.name)
	switch {
	case err == nil && os.SameFile(have, there):
		return nil
	case err == nil:
		return errUsurped
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	held, err := o.fs.Lock(o.name)
	if err != nil {
		return err
	}
	old := o.held
	o.held = held
	return old.Close()
}

// err is nil while the directory is ours, as far as the last check knows.
func (o *owner) err() error {
	if denied := o.denied.Load(); denied != nil {
		return *denied
	}
	return nil
}

func (o *owner) close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.held == nil {
		return nil
	}
	return o.held.Close()
}
