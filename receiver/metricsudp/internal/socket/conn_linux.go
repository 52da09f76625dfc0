package socket

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// MaxSockets is how many sockets can share a port.
const MaxSockets = 64

// message is the kernel's struct mmsghdr. Its size is a multiple of the
// alignment of Msghdr on every architecture, as the compiler pads it.
type message struct {
	header unix.Msghdr
	length uint32
}

// Conn is one socket of the group with the buffers of its reader.
type Conn struct {
	udp *net.UDPConn
	raw syscall.RawConn

	messages  []message
	vectors   []unix.Iovec
	sources   []unix.RawSockaddrAny // empty unless asked for
	payloads  []byte
	stride    int
	datagrams []Datagram

	// receive is the one closure handed to raw.Read, built once: a literal in the
	// loop would be allocated on every call. got and errno are its results.
	receive func(fd uintptr) bool
	wait    bool
	got     int
	errno   syscall.Errno
}

// cacheLine staggers the buffers: at a stride of a multiple of 4 KiB all would
// begin in the same set of the level 1 cache.
const cacheLine = 64

func newConn(udp *net.UDPConn, s *Settings) (*Conn, error) {
	raw, err := udp.SyscallConn()
	if err != nil {
		return nil, err
	}
	if err := setReceiveBuffer(raw, s.BufferBytes); err != nil {
		return nil, err
	}
	stride := (s.MaxDatagram+cacheLine-1)/cacheLine*cacheLine + 5*cacheLine
	c := &Conn{
		udp: udp, raw: raw,
		messages:  make([]message, s.Batch),
		vectors:   make([]unix.Iovec, s.Batch),
		payloads:  make([]byte, s.Batch*stride),
		stride:    stride,
		datagrams: make([]Datagram, s.Batch),
	}
	if s.NeedsSources {
		c.sources = make([]unix.RawSockaddrAny, s.Batch)
	}
	for i := range c.messages {
		c.vectors[i].Base = &c.payloads[i*stride]
		c.vectors[i].SetLen(s.MaxDatagram)
		h := &c.messages[i].header
		h.Iov = &c.vectors[i]
		h.SetIovlen(1)
		if s.NeedsSources {
			h.Name = (*byte)(unsafe.Pointer(&c.sources[i]))
		}
	}
	c.receive = c.recvmmsg
	return c, nil
}

// Read waits for datagrams and returns at least one, or an error: [ErrWoken]
// after Wake, net.ErrClosed after Close. What it returns is valid until the next
// call.
func (c *Conn) Read() ([]Datagram, error) { return c.read(true) }

// Poll is Read that does not wait: it returns no datagrams where there are none.
func (c *Conn) Poll() ([]Datagram, error) { return c.read(false) }

func (c *Conn) read(wait bool) ([]Datagram, error) {
	c.wait = wait
	if err := c.raw.Read(c.receive); err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil, c.woken()
		}
		return nil, err
	}
	if c.errno != 0 {
		if c.errno == unix.EAGAIN {
			return nil, nil
		}
		return nil, os.NewSyscallError("recvmmsg", c.errno)
	}
	// Only what this call returned: the buffers behind hold earlier datagrams.
	for i := range c.got {
		m := &c.messages[i]
		d := &c.datagrams[i]
		d.Payload = c.payloads[i*c.stride:][:m.length]
		d.Truncated = m.header.Flags&unix.MSG_TRUNC != 0
		if c.sources != nil {
			d.Source = address(&c.sources[i])
		}
	}
	return c.datagrams[:c.got], nil
}

// recvmmsg reports whether the read is done; false makes the runtime's poller
// wait until the socket is readable.
func (c *Conn) recvmmsg(fd uintptr) bool {
	if c.sources != nil { // the kernel overwrites the capacity with the length
		for i := range c.messages {
			c.messages[i].header.Namelen = unix.SizeofSockaddrAny
		}
	}
	for {
		n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&c.messages[0])),
			uintptr(len(c.messages)), unix.MSG_DONTWAIT, 0, 0)
		if errno == unix.EINTR {
			continue
		}
		c.got, c.errno = int(n), errno
		return errno != unix.EAGAIN || !c.wait
	}
}

// Wake makes the present or the next Read return ErrWoken.
func (c *Conn) Wake() error { return c.udp.SetReadDeadline(time.Unix(1, 0)) }

// woken makes reads wait again. A Wake that comes after it holds for the next read.
func (c *Conn) woken() error {
	if err := c.udp.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	return ErrWoken
}

// Stats asks the kernel.
func (c *Conn) Stats() (Stats, error) {
	var info [unix.SK_MEMINFO_VARS]uint32
	size := uint32(unsafe.Sizeof(info))
	var errno syscall.Errno
	err := c.raw.Control(func(fd uintptr) {
		_, _, errno = unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_MEMINFO,
			uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	})
	if err != nil {
		return Stats{}, err
	}
	if errno != 0 {
		return Stats{}, os.NewSyscallError("getsockopt SO_MEMINFO", errno)
	}
	return Stats{
		Drops:       info[unix.SK_MEMINFO_DROPS],
		BufferBytes: int(info[unix.SK_MEMINFO_RCVBUF] / 2),
	}, nil
}

// LocalAddr is the address bound.
func (c *Conn) LocalAddr() net.Addr { return c.udp.LocalAddr() }

// Close ends a Read in progress.
func (c *Conn) Close() error { return c.udp.Close() }

// setReceiveBuffer asks past net.core.rmem_max first, which CAP_NET_ADMIN allows,
// and then within it. A smaller buffer than asked for is no error; Stats tells.
// The kernel doubles the number for its bookkeeping, so Stats halves it.
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

// admitOthers opens the port of an exclusively bound socket. The kernel compares
// the option of both sockets when the later one binds, not when the earlier did,
// and then forms the group; so there is no moment in which the port is free.
func admitOthers(udp *net.UDPConn) error {
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

func address(sa *unix.RawSockaddrAny) netip.Addr {
	switch sa.Addr.Family {
	case unix.AF_INET:
		return netip.AddrFrom4((*unix.RawSockaddrInet4)(unsafe.Pointer(sa)).Addr)
	case unix.AF_INET6:
		return netip.AddrFrom16((*unix.RawSockaddrInet6)(unsafe.Pointer(sa)).Addr).Unmap()
	}
	return netip.Addr{}
}
