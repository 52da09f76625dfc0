// Package socket reads datagrams from sockets that share one UDP port.
//
// A [Conn] belongs to one reader. [Conn.Read] may run in one goroutine while
// others call [Conn.Wake], [Conn.Stats] and [Conn.Close].
package socket

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
)

// Settings of a group of sockets.
type Settings struct {
	Network      string // udp, udp4 or udp6
	Address      string // host:port; port 0 lets the kernel choose
	Count        int    // sockets that share the port
	BufferBytes  int    // receive buffer asked of the kernel for each
	MaxDatagram  int    // bytes kept of a datagram
	Batch        int    // datagrams to a system call
	NeedsSources bool   // fill Datagram.Source
}

// Datagram is valid until the next Read on its Conn.
type Datagram struct {
	Payload   []byte
	Source    netip.Addr // where Settings.NeedsSources; never an IPv4-mapped IPv6 address
	Truncated bool       // the rest of it is lost
}

// Stats is what the kernel knows of a socket.
type Stats struct {
	Drops       uint32 // datagrams dropped since the socket was opened, modulo 2^32; 0 where unknown
	BufferBytes int    // effective receive buffer, in the unit of Settings.BufferBytes; 0 where unknown
}

// ErrWoken is returned by Read after Wake.
var ErrWoken = errors.New("woken")

// InUseError says that another process, or another receiver of this one, holds
// the port.
type InUseError struct {
	Address string
	Err     error
}

func (e *InUseError) Error() string {
	return fmt.Sprintf("%s is already in use by another process or receiver: %v", e.Address, e.Err)
}

func (e *InUseError) Unwrap() error { return e.Err }

// Open binds the first socket exclusively, so that a port that anyone holds is an
// [InUseError] even if that one would share it, and then lets the others in.
func Open(ctx context.Context, s Settings) ([]*Conn, error) {
	conns := make([]*Conn, 0, s.Count)
	closeAll := func() {
		for _, c := range conns {
			_ = c.Close()
		}
	}
	address := s.Address
	for i := range s.Count {
		udp, err := listen(ctx, s.Network, address, i > 0)
		if err != nil {
			closeAll()
			return nil, err
		}
		if i == 0 && s.Count > 1 {
			address = udp.LocalAddr().String()
			err = admitOthers(udp)
		}
		var c *Conn
		if err == nil {
			c, err = newConn(udp, &s)
		}
		if err != nil {
			_ = udp.Close()
			closeAll()
			return nil, err
		}
		conns = append(conns, c)
	}
	return conns, nil
}

// listen binds one socket, to share the port with those already bound or not.
func listen(ctx context.Context, network, address string, share bool) (*net.UDPConn, error) {
	var lc net.ListenConfig
	if share {
		lc.Control = setReusePort
	}
	pc, err := lc.ListenPacket(ctx, network, address)
	if err != nil {
		if isInUse(err) {
			return nil, &InUseError{Address: address, Err: err}
		}
		return nil, fmt.Errorf("listen on %s %s: %w", network, address, err)
	}
	udp, ok := pc.(*net.UDPConn)
	if !ok {
		_ = pc.Close()
		return nil, fmt.Errorf("listen on %s %s: not a UDP socket: %T", network, address, pc)
	}
	return udp, nil
}
