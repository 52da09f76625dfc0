package segment

import (
	"os"

	"golang.org/x/sys/unix"
)

// datasync asks for F_FULLFSYNC through os: fsync alone stops at the drive's cache here.
func datasync(f *os.File) error { return f.Sync() }

func free(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return int64(min(st.Bavail, 1<<40)) * int64(st.Bsize), nil
}

func volume(dir string) (Volume, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return Volume{}, err
	}
	var at unix.Stat_t
	if err := unix.Stat(dir, &at); err != nil {
		return Volume{}, err
	}
	reserved := st.Bfree - st.Bavail                                                                       // for root
	return Volume{ID: uint64(at.Dev), Bytes: int64(min(st.Blocks-reserved, 1<<40)) * int64(st.Bsize)}, nil //nolint:gosec // an identifier
}
