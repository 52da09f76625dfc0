//go:build unix

package logtool

import (
	"fmt"
	"os"
	"syscall"
)

// checkOwner fails unless the user owns the directory: the gateway could not open files that another user, such as root, has
// created.
func checkOwner(dir string) error {
	fi, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if st, ok := fi.Sys().(*syscall.Stat_t); ok && int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to user %d: run this command as that user (got %d), so that the gateway can read the files", dir, st.Uid, os.Geteuid())
	}
	return nil
}
