package segment

import (
	"io"
	"io/fs"
)

// FS is the part of a file system that the log stands on. Tests put one under it that fails on demand.
type FS interface {
	// OpenFile is os.OpenFile.
	OpenFile(name string, flag int, perm fs.FileMode) (File, error)
	// Mkdir is os.Mkdir.
	Mkdir(name string, perm fs.FileMode) error
	ReadDir(name string) ([]fs.DirEntry, error)
	Remove(name string) error
	// Stat is os.Stat.
	Stat(name string) (fs.FileInfo, error)
	// Lstat is os.Lstat.
	Lstat(name string) (fs.FileInfo, error)
	// SyncDir makes creations and removals in a directory durable.
	SyncDir(name string) error
	// Free returns the bytes that an unprivileged writer may still use on the directory's file system.
	Free(dir string) (int64, error)
	// Volume describes the file system of a directory.
	Volume(dir string) (Volume, error)
	// Lock takes an exclusive lock on a file, created where missing, and fails at once with ErrLocked when another
	// holder, in this process or another, has it. Closing releases it; so does the end of the process.
	Lock(name string) (Lock, error)
}

// Volume is a file system. The zero value says that nothing is known.
type Volume struct {
	ID    uint64 // tells it from the others of this machine
	Bytes int64  // that it has for unprivileged writers, used or not
}

// Lock is a lock that is held, until it is closed.
type Lock interface {
	io.Closer
	// Stat says which file it is: somebody may put another one in its place.
	Stat() (fs.FileInfo, error)
}

// File is an open file of FS.
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
	DirMode  fs.FileMode = 0o700
)
