package segment

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// ErrInUse means that another process, or another component of this one, has locked the directory.
var ErrInUse = errors.New("the directory is in use by another process or component")

// OS is the operating system's file system.
type OS struct{}

var (
	_ FS      = OS{}
	_ Volumes = OS{}
	_ Locker  = OS{}
)

type osFile struct{ *os.File }

// Sync skips the metadata that reading does not need (fdatasync) if the system supports that.
func (f osFile) Sync() error { return datasync(f.File) }

// OpenFile is os.OpenFile with a Sync that skips metadata.
func (OS) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	f, err := os.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

// Mkdir is os.Mkdir.
func (OS) Mkdir(name string, perm fs.FileMode) error { return os.Mkdir(name, perm) }

// ReadDir is os.ReadDir.
func (OS) ReadDir(name string) ([]fs.DirEntry, error) { return os.ReadDir(name) }

// Remove is os.Remove.
func (OS) Remove(name string) error { return os.Remove(name) }

// Stat is os.Stat.
func (OS) Stat(name string) (fs.FileInfo, error) { return os.Stat(name) }

// Lstat is os.Lstat.
func (OS) Lstat(name string) (fs.FileInfo, error) { return os.Lstat(name) }

// SyncDir syncs a directory.
func (OS) SyncDir(name string) error { return syncDir(name) }

// Free asks statfs for the space that is available to an unprivileged writer.
func (OS) Free(dir string) (int64, error) { return free(dir) }

// Volume asks statfs and stat.
func (OS) Volume(dir string) (Volume, error) { return volume(dir) }

// Lock sets an advisory lock on the open file. On a read-only file system the file must exist.
func (OS) Lock(name string) (Lock, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, FileMode)
	if isReadOnly(err) {
		f, err = os.Open(name)
	}
	if err != nil {
		return nil, err
	}
	if err := lock(f); err != nil {
		_ = f.Close()
		if errors.Is(err, errWouldBlock) {
			return nil, fmt.Errorf("%s: %w", name, ErrInUse)
		}
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	return f, nil
}
