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

// waiter waits until one socket is readable, or for Nudge.
//
// The waiter's epoll instance contains the socket and an eventfd, and the runtime's poller waits for that instance. So a waiting
// goroutine needs no thread. The runtime's monitor thread can sleep too; a blocking system call would wake it, and from then on
// it would poll every 20 us. Wait arms the socket for one event, so a datagram wakes no thread while no goroutine waits.
//
// One goroutine at a time may call Wait. Any goroutine may call Nudge. Neither may overlap Close.
type waiter struct {
	socket int
	nudged int // an eventfd; readable after Nudge
	epoll  int

	file   *os.File // owns epoll
	raw    syscall.RawConn
	events [2]unix.EpollEvent
	err    error              // of the last call of check
	check  func(uintptr) bool // w.isReady, kept here because each conversion allocates
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
	// Until Wait the socket is armed for no event.
	if err = w.add(w.socket, unix.EPOLLONESHOT); err == nil {
		err = w.add(w.nudged, unix.EPOLLIN)
	}
	if err != nil {
		return os.NewSyscallError("epoll_ctl", err)
	}
	if err = unix.SetNonblock(w.epoll, true); err != nil { // os adds only nonblocking files to the poller
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

// isReady reads the events of the epoll instance. It reports false without events; the poller then waits for the next one.
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

// Nudge ends the present Wait, or the next one.
func (w *waiter) Nudge() error {
	var one [8]byte
	binary.NativeEndian.PutUint64(one[:], 1)
	_, err := unix.Write(w.nudged, one[:])
	if err != nil && !errors.Is(err, unix.EAGAIN) { // EAGAIN: the eventfd is readable already
		return os.NewSyscallError("write eventfd", err)
	}
	return nil
}

// Close closes the descriptors that the waiter has opened. The socket stays open.
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
