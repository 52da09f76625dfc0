package segment

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// errTaken marks a file that is not where the log has put it: somebody has deleted or moved it, so that the next start
// would not find it.
var errTaken = errors.New("files of the log were deleted or moved")

// probeName is the file that try writes and removes. A crash may leave it; it is of no use.
const probeName = "probe"

// dir is the directory of a log. It keeps no state of its own and is safe for concurrent use.
type dir struct {
	fs     FS
	path   string
	ensure func() error // makes the directory where it is missing
	own    func() error // nil while the directory belongs to nobody else
}

func (d *dir) join(name string) string { return filepath.Join(d.path, name) }

// list returns what the directory contains.
func (d *dir) list() ([]fs.DirEntry, error) { return d.fs.ReadDir(d.path) }

// create makes a file that is not there yet, durably under its name, and returns it with its identity.
func (d *dir) create(name string) (f File, found fs.FileInfo, err error) {
	f, err = d.fs.OpenFile(d.join(name), os.O_RDWR|os.O_CREATE|os.O_EXCL|os.O_APPEND, FileMode)
	if err != nil {
		return nil, nil, err
	}
	err = d.sync()
	if err == nil {
		found, err = f.Stat()
	}
	if err != nil {
		return nil, nil, errors.Join(err, f.Close(), d.fs.Remove(d.join(name)))
	}
	return f, found, nil
}

// open opens a file for reading.
func (d *dir) open(name string) (File, error) { return d.fs.OpenFile(d.join(name), os.O_RDONLY, 0) }

// remove deletes a file. It succeeds when the file is not there.
func (d *dir) remove(name string) error {
	if err := d.fs.Remove(d.join(name)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// sync makes creations and removals durable.
func (d *dir) sync() error { return d.fs.SyncDir(d.path) }

// has reports whether there is a file of this name. It says yes where that cannot be found out.
func (d *dir) has(name string) bool {
	_, err := d.fs.Stat(d.join(name))
	return !errors.Is(err, fs.ErrNotExist)
}

// checkPlace returns nil when the file of this name is the one that have describes, and errTaken when it is another or none.
func (d *dir) checkPlace(name string, have fs.FileInfo) error {
	there, err := d.fs.Stat(d.join(name))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", errTaken, err)
	}
	if err != nil {
		return err
	}
	if !os.SameFile(have, there) {
		return fmt.Errorf("%w: %s is another file", errTaken, d.join(name))
	}
	return nil
}

// try reports whether the disk accepts and syncs a new file now. It costs about as much as an append.
func (d *dir) try() error {
	probe := d.join(probeName)
	f, err := d.fs.OpenFile(probe, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, FileMode)
	if err != nil {
		return fmt.Errorf("try the disk: %w", full(err))
	}
	_, err = f.Write(make([]byte, slotSize)) // a block: less may fit into what the file system keeps of an empty file
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close(), d.fs.Remove(probe)); err != nil {
		return fmt.Errorf("try the disk: %w", full(err))
	}
	return nil
}

// refuseLink fails where a file of the directory, or with "" the directory, is a symbolic link: a user that may set one chooses
// what the log overwrites.
func (d *dir) refuseLink(name string) error {
	fi, err := d.fs.Lstat(d.join(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && fi.Mode()&fs.ModeSymlink != 0 {
		err = fmt.Errorf("%w (got %s)", ErrLink, d.join(name))
	}
	return err
}

// ErrLink says that something of the log is a symbolic link.
var ErrLink = errors.New("must not be a symbolic link")

// isReadOnly reports whether an error is that of a read-only file system.
func isReadOnly(err error) bool { return errors.Is(err, syscall.EROFS) }

// MakeDir makes a directory and the missing ones above it, durably: without its parent's sync a power loss would remove a
// synced file with the name above it. It syncs the parent also of a directory that is there already, since a crash may
// have come before that sync.
func MakeDir(fsys FS, path string) error {
	parent := filepath.Dir(path)
	err := fsys.Mkdir(path, DirMode)
	if errors.Is(err, fs.ErrNotExist) && parent != path {
		if err := MakeDir(fsys, parent); err != nil {
			return err
		}
		err = fsys.Mkdir(path, DirMode)
	}
	if errors.Is(err, fs.ErrExist) || isReadOnly(err) {
		if _, rerr := fsys.ReadDir(path); isReadOnly(err) && rerr != nil {
			return err
		}
		_, err = fsys.ReadDir(path) // and it is a directory
	}
	if err != nil {
		return err
	}
	if err := fsys.SyncDir(parent); !isReadOnly(err) {
		return err
	}
	return nil // it is there, and cannot go
}
