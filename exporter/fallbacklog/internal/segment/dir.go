package segment

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// errMoved marks a file that was deleted or moved, so that the next start would not find it.
var errMoved = errors.New("files of the log were deleted or moved")

// probeName is the file that checkWritable writes and removes. A crash may leave it; it has no use.
const probeName = "probe"

// dir is the directory of a log. It has no mutable state and is safe for concurrent use.
type dir struct {
	fs         FS
	path       string
	makeDir    func() error // creates the directory if it is missing
	checkOwner func() error // nil if no other process owns the directory
}

func (d *dir) join(name string) string { return filepath.Join(d.path, name) }

// list returns the entries of the directory.
func (d *dir) list() ([]fs.DirEntry, error) { return d.fs.ReadDir(d.path) }

// create creates a file, makes its name durable, and returns it with its identity. The file must not exist.
func (d *dir) create(name string) (f File, identity fs.FileInfo, err error) {
	f, err = d.fs.OpenFile(d.join(name), os.O_RDWR|os.O_CREATE|os.O_EXCL|os.O_APPEND, FileMode)
	if err != nil {
		return nil, nil, err
	}
	err = d.sync()
	if err == nil {
		identity, err = f.Stat()
	}
	if err != nil {
		return nil, nil, errors.Join(err, f.Close(), d.fs.Remove(d.join(name)))
	}
	return f, identity, nil
}

// open opens a file for reading.
func (d *dir) open(name string) (File, error) { return d.fs.OpenFile(d.join(name), os.O_RDONLY, 0) }

// remove deletes a file. A missing file is no error.
func (d *dir) remove(name string) error {
	if err := d.fs.Remove(d.join(name)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// sync makes creations and removals durable.
func (d *dir) sync() error { return d.fs.SyncDir(d.path) }

// has reports whether a file with this name exists. It returns true if that cannot be determined.
func (d *dir) has(name string) bool {
	_, err := d.fs.Stat(d.join(name))
	return !errors.Is(err, fs.ErrNotExist)
}

// checkPlace returns nil if the file with this name is the one that want describes, and errMoved if it is another file or
// missing.
func (d *dir) checkPlace(name string, want fs.FileInfo) error {
	actual, err := d.fs.Stat(d.join(name))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", errMoved, err)
	}
	if err != nil {
		return err
	}
	if !os.SameFile(want, actual) {
		return fmt.Errorf("%w: %s is another file", errMoved, d.join(name))
	}
	return nil
}

// checkWritable returns nil if the disk accepts and syncs a new file now. It costs about as much as an append.
func (d *dir) checkWritable() error {
	probe := d.join(probeName)
	f, err := d.fs.OpenFile(probe, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, FileMode)
	if err != nil {
		return fmt.Errorf("try the disk: %w", markNoSpace(err))
	}
	_, err = f.Write(make([]byte, slotSize)) // a whole block: fewer bytes may fit into the file's metadata
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close(), d.fs.Remove(probe)); err != nil {
		return fmt.Errorf("try the disk: %w", markNoSpace(err))
	}
	return nil
}

// refuseLink fails if a file of the directory, or with "" the directory itself, is a symbolic link: a user who may create one
// chooses the file that the log overwrites.
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

// ErrLink means that a file or directory of the log is a symbolic link.
var ErrLink = errors.New("must not be a symbolic link")

// isReadOnly reports whether the error is that of a read-only file system.
func isReadOnly(err error) bool { return errors.Is(err, syscall.EROFS) }

// MakeDir creates a directory and its missing parents, durably: without a sync of its parent a power loss could remove the
// directory's name and the synced files in it. It also syncs the parent of an existing directory, because a crash may have come
// before that sync.
func MakeDir(fsys Directories, path string) error {
	parent := filepath.Dir(path)
	err := fsys.Mkdir(path, dirMode)
	if errors.Is(err, fs.ErrNotExist) && parent != path {
		if err := MakeDir(fsys, parent); err != nil {
			return err
		}
		err = fsys.Mkdir(path, dirMode)
	}
	if errors.Is(err, fs.ErrExist) || isReadOnly(err) {
		if _, rerr := fsys.ReadDir(path); isReadOnly(err) && rerr != nil {
			return err
		}
		_, err = fsys.ReadDir(path) // it must be a directory
	}
	if err != nil {
		return err
	}
	if err := fsys.SyncDir(parent); !isReadOnly(err) {
		return err
	}
	return nil // it exists, and a read-only file system cannot lose it
}
