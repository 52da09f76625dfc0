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
