package socket

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// setReceiveBuffer first asks for a size that may exceed net.core.rmem_max, which needs CAP_NET_ADMIN, and then for one within
// it. A smaller buffer than requested is not an error; Stats returns the size. The kernel doubles the number for its
// bookkeeping, so Stats halves it.
func setReceiveBuffer(raw syscall.RawConn, bytes int) error {
	if bytes == 0 {
		return nil
	}
	var failed error
	err := raw.Control(func(fd uintptr) {
		if unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, bytes) != nil {
			failed = os.NewSyscallError("setsockopt SO_RCVBUF",
				unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, bytes))
		}
	})
	return errors.Join(err, failed)
}

// setReusePort marks a socket before it is bound.
func setReusePort(_, _ string, raw syscall.RawConn) error {
	var failed error
	err := raw.Control(func(fd uintptr) {
		failed = os.NewSyscallError("setsockopt SO_REUSEPORT",
			unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1))
	})
	return errors.Join(err, failed)
}

// allowJoining lets other sockets bind the port of a socket that was bound exclusively. The kernel compares the option of both
// sockets when the later one binds, not when the earlier one did. So the port is never free in between.
func allowJoining(udp *net.UDPConn) error {
	raw, err := udp.SyscallConn()
	if err != nil {
		return err
	}
	if err := setReusePort("", "", raw); err != nil {
		return fmt.Errorf("share the port among readers: %w", err)
	}
	return nil
}

func isInUse(err error) bool { return errors.Is(err, unix.EADDRINUSE) }

// isNotOfThisHost reports whether the error means that no interface has the address, or that its family is switched off.
func isNotOfThisHost(err error) bool {
	return errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.EAFNOSUPPORT)
}

const hasAbstract = true
