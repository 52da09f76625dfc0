package segment

import (
	"os"

	"golang.org/x/sys/windows"
)

const (
	errWouldBlock = windows.ERROR_LOCK_VIOLATION
	errQuota      = windows.ERROR_DISK_FULL
)

func lock(f *os.File) error {
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	return windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, &windows.Overlapped{})
}

// syncDir has nothing to do: NTFS journals its directories.
func syncDir(string) error { return nil }

func datasync(f *os.File) error { return f.Sync() }

func free(dir string) (int64, error) {
	name, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, err
	}
	var available uint64
	if err := windows.GetDiskFreeSpaceEx(name, &available, nil, nil); err != nil {
		return 0, err
	}
	return int64(min(available, 1<<62)), nil
}

// volume is not known here.
func volume(string) (Volume, error) { return Volume{}, nil }
