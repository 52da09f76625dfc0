// Package socket reads datagrams from sockets that share one UDP port, or from one Unix socket.
//
// [Open] creates a [Group] of sockets. A [Conn] is one socket with the buffers of its reader, for any network. A Conn belongs to
// one reader: [Conn.Read] may run in one goroutine while others call [Conn.Wake], [Conn.Stats] and [Conn.Close].
package socket

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"time"
)

// Options of a group of sockets.
type Options struct {
	Network          string      // udp or tcp, with 4 or 6 for one family, [Unixgram] or [Unix]
	Address          string      // host:port, or the path of a Unix socket; the kernel chooses port 0
	Permissions      fs.FileMode // of the file of a Unix socket
	Count            int         // number of sockets per address family, which share the port; 1 for a Unix socket
	BufferBytes      int         // requested receive buffer of each socket; a family has Count times as much
	MaxDatagramBytes int         // number of bytes that are kept of a datagram
	ReadBatchSize    int         // maximum number of datagrams per system call
	NeedsSources     bool        // fill Datagram.Source
	Resolve          Resolver    // nil: the system's resolver
}

// Datagram is valid until the next Read on its Conn.
type Datagram struct {
	Payload   []byte
	Source    netip.Addr // only over UDP and with Options.NeedsSources; never an IPv4-mapped IPv6 address
	Truncated bool       // the datagram was longer than Payload
}

// Stats are the kernel's statistics of a socket.
type Stats struct {
	Drops       uint32 // datagrams dropped since the socket was opened, modulo 2^32; 0 if unknown
	BufferBytes int    // effective receive buffer, in the unit of Options.BufferBytes; 0 if unknown or without a buffer
}

// ErrWoken is returned by Read after Wake.
var ErrWoken = errors.New("woken")

// InUseError is the error if another process, or another receiver of this process, uses the port or the path.
type InUseError struct {
	Address string
	Err     error
}

func (e *InUseError) Error() string {
	return fmt.Sprintf("%s is already in use by another process or receiver: %v", e.Address, e.Err)
}

func (e *InUseError) Unwrap() error { return e.Err }

// The networks of Unix sockets, if [HasUnix].
const (
	Unixgram = "unixgram" // datagrams
	Unix     = "unix"     // streams
)

// MaxPath is the maximum length of a Unix socket's path, in bytes, without the zero byte that ends it.
const MaxPath = len(syscall.RawSockaddrUnix{}.Path) - 1

// Group has the sockets of one receiver.
type Group struct {
	Conns   []*Conn
	Skipped []string // addresses of the endpoint's host name that this host does not have, each with the error
	file    *file    // of a Unix socket; nil for an abstract name and for UDP
}

// Open binds the sockets.
func Open(ctx context.Context, s Options) (*Group, error) {
	if s.Network == Unixgram {
		return openUnix(ctx, &s)
	}
	return openUDP(ctx, &s)
}

// Addr returns the first bound address.
func (g *Group) Addr() net.Addr { return g.Conns[0].LocalAddr() }

// Addresses returns all bound addresses, each once.
func (g *Group) Addresses() []string {
	var all []string
	for _, c := range g.Conns {
		if address := c.LocalAddr().String(); !slices.Contains(all, address) {
			all = append(all, address)
		}
	}
	return all
}

// Close ends the Reads in progress.
func (g *Group) Close() error {
	var errs []error
	if g.file != nil {
		errs = append(errs, g.file.remove()) // before the socket is closed, see remove
	}
	for _, c := range g.Conns {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// packetConn is a socket of the net package.
type packetConn interface {
	syscall.Conn
	LocalAddr() net.Addr
	SetReadDeadline(time.Time) error
	Close() error
}
