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

// MaxSockets is the number of sockets that can share a port.
const MaxSockets = 64

// message is the kernel's struct mmsghdr. The compiler pads it, so its size is a multiple of the alignment of Msghdr on every
// architecture.
type message struct {
	header unix.Msghdr
	length uint32
}

// Conn is one socket of the group with the buffers of its reader.
//
// Its system calls do not wait, so it makes them without notifying the runtime's scheduler. See [waiter].
type Conn struct {
	fd     int
	wait   *waiter
	local  net.Addr
	queued bool // senders wait when the socket's queue is full, so there is neither a receive buffer nor a drop

	woken  atomic.Bool  // set by Wake, before the nudge
	closed atomic.Bool  // set by Close, before the nudge
	using  sync.RWMutex // read-locked while fd is in use; Close locks it to close fd

	*Buffers
}

// Buffers are the memory that one system call fills.
type Buffers struct {
	messages  []message
	vectors   []unix.Iovec
	sources   []unix.RawSockaddrAny // empty without Options.NeedsSources
	payloads  []byte
	stride    int // distance between two payloads, in bytes
	datagrams []Datagram
}

// cacheLine is the size of a cache line, in bytes. Five lines of padding stagger the payloads: if the stride were a multiple of
// 4 KiB, all payloads would begin in the same set of the level 1 cache.
const cacheLine = 64

// newConn moves the socket of pc to a Conn and closes pc. After an error pc is unchanged.
func newConn(pc packetConn, s *Options) (*Conn, error) {
	raw, err := pc.SyscallConn()
	if err != nil {
		return nil, err
	}
	queued := s.Network == Unixgram
	if !queued {
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
	_ = pc.Close() // fd keeps the socket open
	return &Conn{fd: fd, wait: wait, local: local, queued: queued, Buffers: newBuffers(s)}, nil
}

func newBuffers(s *Options) *Buffers {
	stride := (s.MaxDatagramBytes+cacheLine-1)/cacheLine*cacheLine + 5*cacheLine
	c := &Buffers{
		messages:  make([]message, s.ReadBatchSize),
		vectors:   make([]unix.Iovec, s.ReadBatchSize),
		payloads:  make([]byte, s.ReadBatchSize*stride),
		stride:    stride,
		datagrams: make([]Datagram, s.ReadBatchSize),
	}
	if s.NeedsSources {
		c.sources = make([]unix.RawSockaddrAny, s.ReadBatchSize)
	}
	for i := range c.messages {
		c.vectors[i].Base = &c.payloads[i*stride]
		c.vectors[i].SetLen(s.MaxDatagramBytes)
		h := &c.messages[i].header
		h.Iov = &c.vectors[i]
		h.SetIovlen(1)
		if s.NeedsSources {
			h.Name = (*byte)(unsafe.Pointer(&c.sources[i]))
		}
	}
	return c
}

// ReadBatchSize returns the maximum number of datagrams that a Read returns.
func (c *Conn) ReadBatchSize() int { return len(c.messages) }

// Read waits for datagrams and returns at least one, or an error: [ErrWoken] after Wake, net.ErrClosed after Close. The datagrams
// are valid until the next call.
func (c *Conn) Read() ([]Datagram, error) { return c.read(true) }

// Poll is Read without waiting: it returns no datagrams if none has come.
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

// recvmmsg fills the buffers without waiting.
func (c *Conn) recvmmsg() (n int, errno syscall.Errno) {
	if c.sources != nil { // the last call has overwritten the capacity with the length
		for i := range c.messages {
			c.messages[i].header.Namelen = unix.SizeofSockaddrAny
		}
	}
	got, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(c.fd), uintptr(unsafe.Pointer(&c.messages[0])),
		uintptr(len(c.messages)), unix.MSG_DONTWAIT, 0, 0)
	return int(got), errno
}

// received returns the datagrams in the first n buffers. The other buffers contain datagrams of earlier calls.
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

// Wait returns when a datagram has come, or after Wake or Nudge. It may also return early.
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

// Nudge ends the present Wait, or the next one.
func (c *Conn) Nudge() error {
	c.using.RLock()
	defer c.using.RUnlock()
	if c.closed.Load() {
		return net.ErrClosed
	}
	return c.wait.Nudge()
}

// SetBuffers makes the next Read fill these buffers.
func (c *Conn) SetBuffers(b *Buffers) { c.Buffers = b }

// LastBuffers returns the buffers that the last Read has filled.
func (c *Conn) LastBuffers() *Buffers { return c.Buffers }

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

// Stats returns the kernel's statistics.
func (c *Conn) Stats() (Stats, error) {
	c.using.RLock()
	defer c.using.RUnlock()
	if c.closed.Load() {
		return Stats{}, net.ErrClosed
	}
	if c.queued {
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

// LocalAddr returns the bound address.
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

// detach returns a new descriptor of the socket, which the runtime's poller does not know.
func detach(raw syscall.RawConn) (fd int, err error) {
	controlErr := raw.Control(func(original uintptr) {
		fd, err = unix.FcntlInt(original, unix.F_DUPFD_CLOEXEC, 0)
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
