package segment

import (
	"io"
	"io/fs"
)

// FS is the part of a file system that a log uses. Its interfaces have one method per system call, since tests replace it to make
// each call fail.
type FS interface {
	Files
	Directories
}

// Files are the calls for one file.
type Files interface {
	// OpenFile is os.OpenFile.
	OpenFile(name string, flag int, perm fs.FileMode) (File, error)
	Remove(name string) error
	// Stat is os.Stat.
	Stat(name string) (fs.FileInfo, error)
	// Lstat is os.Lstat.
	Lstat(name string) (fs.FileInfo, error)
}

// Directories are the calls for a directory.
type Directories interface {
	// Mkdir is os.Mkdir.
	Mkdir(name string, perm fs.FileMode) error
	ReadDir(name string) ([]fs.DirEntry, error)
	// SyncDir makes creations and removals in a directory durable.
	SyncDir(name string) error
}

// Volumes are the calls about the file system of a directory.
type Volumes interface {
	// Free returns the bytes that an unprivileged writer may still use on the directory's file system.
	Free(dir string) (int64, error)
	// Volume describes the file system of a directory.
	Volume(dir string) (Volume, error)
}

// Locker locks files.
type Locker interface {
	// Lock creates a file if it is missing and locks it exclusively. If the file is locked already, in this process or another,
	// it fails at once with ErrInUse. Closing the Lock or the end of the process unlocks the file.
	Lock(name string) (Lock, error)
}

// Volume is a file system. The zero value means that nothing is known about it.
type Volume struct {
	ID    uint64 // distinguishes it from the other file systems of this machine
	Bytes int64  // capacity for unprivileged writers, used or not
}

// Lock is a locked file.
type Lock interface {
	io.Closer
	// Stat returns the identity of the file, since another file may have replaced it.
	Stat() (fs.FileInfo, error)
}

// File is an open file of FS. It has more than five methods, because the cursor file needs nearly all of them, and a test's File
// stands for every file of a log.
type File interface {
	io.Writer
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Sync makes the content durable. After an error the state of what was written since the last successful Sync is
	// unknown: the kernel may have dropped the pages and report success the next time.
	Sync() error
	Truncate(size int64) error
	Stat() (fs.FileInfo, error)
}

// Permissions of everything that the log creates: telemetry is as sensitive as what it describes.
const (
	FileMode fs.FileMode = 0o600
	dirMode  fs.FileMode = 0o700
)
