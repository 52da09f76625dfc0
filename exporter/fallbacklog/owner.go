package fallbacklog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
)

// errUsurped says that the directory has been taken away and is somebody else's now.
var errUsurped = fmt.Errorf("its lock was deleted, and there is another one now: stop one of the two, %w", segment.ErrLocked)

// owner holds the lock of a component's directory. A lock is a file's, and a file can be deleted: then it is made and
// taken again, unless somebody else has made one. Safe for concurrent use.
type owner struct {
	fs   segment.FS
	name string // of the lock file

	mu   sync.Mutex
	held segment.Lock
	lost atomic.Bool // somebody else has the directory
}

func own(fsys segment.FS, name string) (*owner, error) {
	held, err := fsys.Lock(name)
	if err != nil {
		return nil, err
	}
	return &owner{fs: fsys, name: name, held: held}, nil
}

// check makes sure that the directory, which is there, is ours.
func (o *owner) check() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	err := o.look()
	o.lost.Store(errors.Is(err, segment.ErrLocked))
	return err
}

// look is check for a caller that holds mu.
func (o *owner) look() error {
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
	if o.lost.Load() {
		return errUsurped
	}
	return nil
}

func (o *owner) close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.held.Close()
}
