//go:build linux || darwin

package segment

import (
	"os"

	"golang.org/x/sys/unix"
)

const (
	errWouldBlock = unix.EWOULDBLOCK
	errQuota      = unix.EDQUOT
)

func lock(f *os.File) error { return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) }

func syncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	err = d.Sync()
	if cerr := d.Close(); err == nil {
		err = cerr
	}
	return err
}
