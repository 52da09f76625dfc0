//go:build unix

package logtool

import (
	"fmt"
	"os"
	"syscall"
)

// checkOwner keeps another user, root most of all, from leaving files behind that the gateway's cannot open.
func checkOwner(dir string) error {
	fi, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if st, ok := fi.Sys().(*syscall.Stat_t); ok && int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to user %d: run this as that user (got %d), who must be able to read what it writes", dir, st.Uid, os.Geteuid())
	}
	return nil
}
