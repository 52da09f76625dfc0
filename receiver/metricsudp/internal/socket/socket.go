// Package socket reads datagrams from sockets that share one UDP port, or from one
// Unix socket.
//
// [Open] makes a [Group] of sockets, by network; a [Conn] is a descriptor with the
// buffers of its reader, however the socket came about. A Conn belongs to one
// reader: [Conn.Read] may run in one goroutine while others call [Conn.Wake],
// [Conn.Stats] and [Conn.Close].
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
)

// Settings of a group of sockets.
type Settings struct {
	Network      string      // udp or tcp, with 4 or 6 for one family, [Unixgram] or [Unix]
	Address      string      // host:port, of which port 0 lets the kernel choose; or a path
	Permissions  fs.FileMode // of the file of a Unix socket
	Count        int         // sockets of each address family, which share the port; 1 of a Unix socket
	BufferBytes  int         // receive buffer asked of the kernel for each; Count times that for each family
	MaxDatagram  int         // bytes kept of a datagram
	Batch        int         // datagrams to a system call
	NeedsSources bool        // fill Datagram.Source
	Resolve      Resolver    // nil: the system's
}

// Datagram is valid until the next Read on its Conn.
type Datagram struct {
	Payload   []byte
	Source    netip.Addr // where Settings.NeedsSources and over UDP; never an IPv4-mapped IPv6 address
	Truncated bool       // the rest of it is lost
}

// Stats is what the kernel knows of a socket.
type Stats struct {
	Drops       uint32 // datagrams dropped since the socket was opened, modulo 2^32; 0 where unknown
	BufferBytes int    // effective receive buffer, in the unit of Settings.BufferBytes; 0 where unknown or without one
}

// ErrWoken is returned by Read after Wake.
var ErrWoken = errors.New("woken")

// InUseError says that another process, or another receiver of this one, holds
// the port or the path.
type InUseError struct {
	Address string
	Err     error
}

func (e *InUseError) Error() string {
	return fmt.Sprintf("%s is already in use by another process or receiver: %v", e.Address, e.Err)
}

func (e *InUseError) Unwrap() error { return e.Err }

// The networks of Unix sockets, where [HasUnix].
const (
	Unixgram = "unixgram" // datagrams
	Unix     = "unix"     // streams
)

// MaxPath is how many bytes the path of a Unix socket can have: one more ends it.
const MaxPath = len(syscall.RawSockaddrUnix{}.Path) - 1

// Group is the sockets of one receiver.
type Group struct {
	Conns   []*Conn
	Skipped []string // addresses of the endpoint's host name that this host does not have, each with the error
	file    *file    // of a Unix socket that has one
}

// Open binds the sockets.
func Open(ctx context.Context, s Settings) (*Group, error) {
	if s.Network == Unixgram {
		return openUnix(ctx, &s)
	}
	return openUDP(ctx, &s)
}

// Addr is the first address bound.
func (g *Group) Addr() net.Addr { return g.Conns[0].LocalAddr() }

// Addresses are all that are bound, each once.
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
		errs = append(errs, g.file.remove()) // while the socket is open: see there
	}
	for _, c := range g.Conns {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// packetConn is how the net package gives a socket.
type packetConn interface {
	net.PacketConn
	syscall.Conn
}
