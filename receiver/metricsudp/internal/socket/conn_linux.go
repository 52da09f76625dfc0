package socket

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
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
//
// Its system calls do not wait, so they are made without telling the runtime, see [waiter].
type Conn struct {
	fd    int
	wait  *waiter
	local net.Addr
	queue bool // of the socket has the senders wait, so that there are neither a buffer nor drops

	woken  atomic.Bool  // by Wake; set before the nudge
	closed atomic.Bool  // set before the nudge
	using  sync.RWMutex // read-locked while fd is in use; Close closes it under the lock

	*Buffers
}

// Buffers are what one system call fills.
type Buffers struct {
	messages  []message
	vectors   []unix.Iovec
	sources   []unix.RawSockaddrAny // empty unless asked for
	payloads  []byte
	stride    int
	datagrams []Datagram
}

// cacheLine staggers the buffers: at a stride of a multiple of 4 KiB all would
// begin in the same set of the level 1 cache.
const cacheLine = 64

// newConn takes the socket over from pc, which is closed unless there is an error.
func newConn(pc packetConn, s *Settings) (*Conn, error) {
	raw, err := pc.SyscallConn()
	if err != nil {
		return nil, err
	}
	queue := s.Network == Unixgram
	if !queue {
		err = setReceiveBuffer(raw, s.BufferBytes)
	}
	if err != nil {
		return nil, err
	}
	fd, err := detach(raw)
	if err != nil {
		return nil, err
	}
	wait, err := newWaiter(fd)
	if err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	local := pc.LocalAddr()
	_ = pc.Close() // the socket lives on in fd
	return &Conn{fd: fd, wait: wait, local: local, queue: queue, Buffers: newBuffers(s)}, nil
}

func newBuffers(s *Settings) *Buffers {
	stride := (s.MaxDatagram+cacheLine-1)/cacheLine*cacheLine + 5*cacheLine
	c := &Buffers{
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
	return c
}

// Batch is the most datagrams that a Read returns.
func (c *Conn) Batch() int { return len(c.messages) }

// Read waits for datagrams and returns at least one, or an error: [ErrWoken]
// after Wake, net.ErrClosed after Close. What it returns is valid until the next
// call.
func (c *Conn) Read() ([]Datagram, error) { return c.read(true) }

// Poll is Read that does not wait: it returns no datagrams where there are none.
func (c *Conn) Poll() ([]Datagram, error) { return c.read(false) }

func (c *Conn) read(waits bool) ([]Datagram, error) {
	c.using.RLock()
	defer c.using.RUnlock()
	for {
		if c.closed.Load() {
			return nil, net.ErrClosed
		}
		if c.woken.Swap(false) {
			return nil, ErrWoken
		}
		n, errno := c.recvmmsg()
		switch errno {
		case 0:
			return c.received(n), nil
		case unix.EINTR:
		case unix.EAGAIN:
			if !waits {
				return nil, nil
			}
			if err := c.wait.Wait(); err != nil {
				return nil, err
			}
		default:
			return nil, os.NewSyscallError("recvmmsg", errno)
		}
	}
}

// recvmmsg does not wait.
func (c *Conn) recvmmsg() (n int, errno syscall.Errno) {
	if c.sources != nil { // the kernel overwrites the capacity with the length
		for i := range c.messages {
			c.messages[i].header.Namelen = unix.SizeofSockaddrAny
		}
	}
	got, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(c.fd), uintptr(unsafe.Pointer(&c.messages[0])),
		uintptr(len(c.messages)), unix.MSG_DONTWAIT, 0, 0)
	return int(got), errno
}

// received describes the first n buffers only: those behind hold earlier datagrams.
func (c *Conn) received(n int) []Datagram {
	for i := range n {
		m := &c.messages[i]
		d := &c.datagrams[i]
		d.Payload = c.payloads[i*c.stride:][:m.length]
		d.Truncated = m.header.Flags&unix.MSG_TRUNC != 0
		if c.sources != nil {
			d.Source = address(&c.sources[i])
		}
	}
	return c.datagrams[:n]
}

// Wait returns when there is something to read, or after Wake or Nudge. It may
// return early.
func (c *Conn) Wait() error {
	c.using.RLock()
	defer c.using.RUnlock()
	if c.closed.Load() {
		return net.ErrClosed
	}
	if c.woken.Load() {
		return nil
	}
	return c.wait.Wait()
}

// Nudge ends the present Wait, or the next.
func (c *Conn) Nudge() error {
	c.using.RLock()
	defer c.using.RUnlock()
	if c.closed.Load() {
		return net.ErrClosed
	}
	return c.wait.Nudge()
}

// Exchange has the next Read use other buffers.
func (c *Conn) Exchange(b *Buffers) { c.Buffers = b }

// Held are the buffers of the last Read.
func (c *Conn) Held() *Buffers { return c.Buffers }

// Wake makes the present or the next Read return ErrWoken.
func (c *Conn) Wake() error {
	c.using.RLock()
	defer c.using.RUnlock()
	if c.closed.Load() {
		return net.ErrClosed
	}
	c.woken.Store(true)
	return c.wait.Nudge()
}

// Stats asks the kernel.
func (c *Conn) Stats() (Stats, error) {
	c.using.RLock()
	defer c.using.RUnlock()
	if c.closed.Load() {
		return Stats{}, net.ErrClosed
	}
	if c.queue {
		return Stats{}, nil
	}
	var info [unix.SK_MEMINFO_VARS]uint32
	size := uint32(unsafe.Sizeof(info))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(c.fd), unix.SOL_SOCKET, unix.SO_MEMINFO,
		uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return Stats{}, os.NewSyscallError("getsockopt SO_MEMINFO", errno)
	}
	return Stats{
		Drops:       info[unix.SK_MEMINFO_DROPS],
		BufferBytes: int(info[unix.SK_MEMINFO_RCVBUF] / 2),
	}, nil
}

// LocalAddr is the address bound.
func (c *Conn) LocalAddr() net.Addr { return c.local }

// Close ends a Read in progress.
func (c *Conn) Close() error {
	if c.closed.Swap(true) {
		return net.ErrClosed
	}
	err := c.wait.Nudge()
	c.using.Lock()
	defer c.using.Unlock()
	return errors.Join(err, c.wait.Close(), unix.Close(c.fd))
}

// detach returns a descriptor of the socket that the runtime's poller does not know.
func detach(raw syscall.RawConn) (fd int, err error) {
	controlErr := raw.Control(func(of uintptr) {
		fd, err = unix.FcntlInt(of, unix.F_DUPFD_CLOEXEC, 0)
	})
	return fd, errors.Join(controlErr, os.NewSyscallError("fcntl F_DUPFD_CLOEXEC", err))
}

func address(sa *unix.RawSockaddrAny) netip.Addr {
	switch sa.Addr.Family {
	case unix.AF_INET:
		return netip.AddrFrom4((*unix.RawSockaddrInet4)(unsafe.Pointer(sa)).Addr)
	case unix.AF_INET6:
		return netip.AddrFrom16((*unix.RawSockaddrInet6)(unsafe.Pointer(sa)).Addr).Unmap()
	}
	return netip.Addr{}
}
