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

// MaxSockets is how many sockets can share a port: other systems either do not
// spread datagrams over them or do so by other rules.
const MaxSockets = 1

// Buffers cannot be exchanged here: there is no second reader.
type Buffers struct{}

// Conn is one socket with the buffer of its reader.
type Conn struct {
	packetConn
	receive  func([]byte) (int, netip.AddrPort, error)
	payload  []byte // one byte more than is kept, to notice truncation
	datagram [1]Datagram
	sources  bool
	buffer   int
}

func newConn(pc packetConn, s *Settings) (*Conn, error) {
	c := &Conn{packetConn: pc, payload: make([]byte, s.MaxDatagram+1), sources: s.NeedsSources}
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
	if ok && s.BufferBytes > 0 && buffered.SetReadBuffer(s.BufferBytes) == nil { // smaller than asked for is no error
		c.buffer = s.BufferBytes
	}
	return c, nil
}

// Batch is the most datagrams that a Read returns.
func (c *Conn) Batch() int { return len(c.datagram) }

// Read waits for a datagram, or returns an error: [ErrWoken] after Wake,
// net.ErrClosed after Close. What it returns is valid until the next call.
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

// pollTime is how long Poll waits, as there is no read without waiting here.
const pollTime = time.Millisecond

// Poll is Read that returns no datagrams where there are none.
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

// Stats has the buffer size that was accepted; drops are unknown here.
func (c *Conn) Stats() (Stats, error) { return Stats{BufferBytes: c.buffer}, nil }

func setReusePort(_, _ string, _ syscall.RawConn) error { return errors.ErrUnsupported }

func admitOthers(*net.UDPConn) error { return errors.ErrUnsupported }
