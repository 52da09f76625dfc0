//go:build !linux

package socket

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
)

// MaxSockets is the number of sockets that can share a port. Systems other than Linux do not distribute datagrams over several
// sockets, or do so by other rules.
const MaxSockets = 1

// Buffers is empty: with a single reader there is no exchange of buffers.
type Buffers struct{}

// Conn is one socket with the buffer of its reader.
type Conn struct {
	packetConn
	receive  func([]byte) (int, netip.AddrPort, error)
	payload  []byte // one byte longer than MaxDatagramBytes, to detect truncation
	datagram [1]Datagram
	sources  bool // fill Datagram.Source
	buffer   int  // requested size of the receive buffer, 0 if the system refused it
}

func newConn(pc packetConn, s *Options) (*Conn, error) {
	c := &Conn{packetConn: pc, payload: make([]byte, s.MaxDatagramBytes+1), sources: s.NeedsSources}
	switch conn := pc.(type) {
	case *net.UDPConn:
		c.receive = conn.ReadFromUDPAddrPort
	case *net.UnixConn:
		c.receive = func(b []byte) (int, netip.AddrPort, error) {
			n, err := conn.Read(b)
			return n, netip.AddrPort{}, err
		}
	default:
		return nil, fmt.Errorf("not a socket that can be read: %T", pc)
	}
	buffered, ok := pc.(interface{ SetReadBuffer(bytes int) error })
	if ok && s.BufferBytes > 0 && buffered.SetReadBuffer(s.BufferBytes) == nil { // a smaller buffer is not an error
		c.buffer = s.BufferBytes
	}
	return c, nil
}

// ReadBatchSize returns the maximum number of datagrams that a Read returns.
func (c *Conn) ReadBatchSize() int { return len(c.datagram) }

// Read waits for a datagram, or returns an error: [ErrWoken] after Wake, net.ErrClosed after Close. The datagrams are valid until
// the next call.
func (c *Conn) Read() ([]Datagram, error) {
	n, source, err := c.receive(c.payload)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		if err := c.SetReadDeadline(time.Time{}); err != nil {
			return nil, err
		}
		return nil, ErrWoken
	case err != nil && !isTooLong(err):
		return nil, err
	}
	d := &c.datagram[0]
	keep := min(n, len(c.payload)-1)
	d.Payload, d.Truncated = c.payload[:keep], n > keep || err != nil
	if c.sources {
		d.Source = source.Addr().Unmap()
	} else {
		d.Source = netip.Addr{}
	}
	return c.datagram[:], nil
}

// pollTime is the time for which Poll waits, because the net package has no read without waiting.
const pollTime = time.Millisecond

// Poll is Read without waiting: it returns no datagrams if none has come.
func (c *Conn) Poll() ([]Datagram, error) {
	if err := c.SetReadDeadline(time.Now().Add(pollTime)); err != nil {
		return nil, err
	}
	datagrams, err := c.Read()
	if errors.Is(err, ErrWoken) {
		return nil, nil
	}
	return datagrams, err
}

// Wake makes the present or the next Read return ErrWoken.
func (c *Conn) Wake() error { return c.SetReadDeadline(time.Unix(1, 0)) }

// Stats returns the requested buffer size. The number of drops is unknown.
func (c *Conn) Stats() (Stats, error) { return Stats{BufferBytes: c.buffer}, nil }

func setReusePort(_, _ string, _ syscall.RawConn) error { return errors.ErrUnsupported }

func allowJoining(*net.UDPConn) error { return errors.ErrUnsupported }
