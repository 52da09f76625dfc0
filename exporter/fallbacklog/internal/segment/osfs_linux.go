package segment

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

func datasync(f *os.File) error {
	for {
		err := unix.Fdatasync(int(f.Fd()))
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

func free(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return int64(min(st.Bavail, 1<<40)) * st.Bsize, nil
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
	reserved := st.Bfree - st.Bavail // for root
	return Volume{ID: at.Dev, Bytes: int64(min(st.Blocks-reserved, 1<<40)) * st.Bsize}, nil
}
