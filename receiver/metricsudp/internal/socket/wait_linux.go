package socket

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// waiter waits for one socket, or for Nudge.
//
// The socket and an eventfd are in an epoll instance of the waiter, and the runtime's poller waits for that
// instance. So a goroutine that waits occupies no thread, and the runtime's monitor thread sleeps: it wakes up for each
// blocking system call, and polls every 20 us from then on. The socket is armed for one event at a time, by Wait: while
// nobody waits, a datagram wakes no thread.
//
// One goroutine may call Wait at a time, any may call Nudge. Neither may overlap Close.
type waiter struct {
	socket int
	nudged int // an eventfd
	epoll  int

	file   *os.File // owns epoll
	raw    syscall.RawConn
	events [2]unix.EpollEvent
	err    error              // of the last check
	check  func(uintptr) bool // w.isReady, kept because each conversion allocates
}

func newWaiter(socket int) (*waiter, error) {
	w := &waiter{socket: socket, nudged: -1, epoll: -1}
	w.check = w.isReady
	if err := w.open(); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

func (w *waiter) open() (err error) {
	if w.nudged, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return os.NewSyscallError("eventfd", err)
	}
	if w.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	// The socket is armed for nothing until Wait.
	if err = w.add(w.socket, unix.EPOLLONESHOT); err == nil {
		err = w.add(w.nudged, unix.EPOLLIN)
	}
	if err != nil {
		return os.NewSyscallError("epoll_ctl", err)
	}
	if err = unix.SetNonblock(w.epoll, true); err != nil { // os gives such files to the poller
		return os.NewSyscallError("fcntl O_NONBLOCK", err)
	}
	w.file = os.NewFile(uintptr(w.epoll), "epoll")
	if err = w.file.SetReadDeadline(time.Time{}); err != nil {
		return fmt.Errorf("the runtime's poller does not accept an epoll instance: %w", err)
	}
	w.raw, err = w.file.SyscallConn()
	return err
}

func (w *waiter) add(fd int, events uint32) error {
	return unix.EpollCtl(w.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)})
}

// Wait returns when the socket is readable, or after Nudge. It may return early.
func (w *waiter) Wait() error {
	event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLONESHOT, Fd: int32(w.socket)}
	_, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(w.epoll), unix.EPOLL_CTL_MOD, uintptr(w.socket),
		uintptr(unsafe.Pointer(&event)), 0, 0)
	if errno != 0 {
		return os.NewSyscallError("epoll_ctl", errno)
	}
	w.err = nil
	return errors.Join(w.raw.Read(w.check), w.err)
}

// isReady reads the events of the instance. Without any, the poller waits for the next.
func (w *waiter) isReady(uintptr) bool {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(w.epoll), uintptr(unsafe.Pointer(&w.events[0])),
		uintptr(len(w.events)), 0, 0, 0)
	switch {
	case errno == unix.EINTR:
		return true
	case errno != 0:
		w.err = os.NewSyscallError("epoll_pwait", errno)
		return true
	}
	for i := range w.events[:n] {
		if int(w.events[i].Fd) != w.nudged {
			continue
		}
		var count [8]byte
		if _, err := unix.Read(w.nudged, count[:]); err != nil && !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) {
			w.err = os.NewSyscallError("read eventfd", err)
		}
	}
	return n > 0
}

// Nudge ends the present Wait, or the next.
func (w *waiter) Nudge() error {
	var one [8]byte
	binary.NativeEndian.PutUint64(one[:], 1)
	_, err := unix.Write(w.nudged, one[:])
	if err != nil && !errors.Is(err, unix.EAGAIN) { // EAGAIN: it is set
		return os.NewSyscallError("write eventfd", err)
	}
	return nil
}

// Close closes what the waiter has opened. The socket stays open.
func (w *waiter) Close() error {
	var errs []error
	switch {
	case w.file != nil:
		errs = append(errs, w.file.Close())
	case w.epoll >= 0:
		errs = append(errs, unix.Close(w.epoll))
	}
	if w.nudged >= 0 {
		errs = append(errs, unix.Close(w.nudged))
	}
	return errors.Join(errs...)
}
