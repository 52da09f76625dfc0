package stream

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"time"
)

// connection is the connection of one peer. Its goroutine owns the buffer, except while the feed uses it.
type connection struct {
	*buffer
	server *Server
	feed   *Feed
	conn   net.Conn      // the connection without TLS
	stream net.Conn      // conn, or the TLS session on it
	source netip.Addr    // never IPv4-mapped; zero for Unix sockets
	done   chan struct{} // the feed sends an element when the buffer may be filled again
}

// handshakeTimeout bounds the time of a TLS handshake.
const handshakeTimeout = 10 * time.Second

// serve reads until the connection ends and returns the reason.
func (c *connection) serve() (End, error) {
	if c.server.TLS != nil {
		switch err := c.handshake(); {
		case err != nil && c.server.draining.Load():
			return EndShutdown, nil
		case err != nil:
			return EndHandshake, err
		}
	}
	c.extendDeadline()
	for {
		n, err := c.stream.Read(c.room())
		whole := c.split(n)
		for whole && len(c.datagrams) == maxFrames {
			if !c.deliver() {
				return EndShutdown, nil
			}
			c.extendDeadline()
			whole = c.next()
		}
		if !whole {
			c.deliver()
			return EndOverlongFrame, nil
		}
		if err != nil {
			end, err := c.endOf(err)
			c.finish(end == EndClosed)
			c.deliver()
			return end, err
		}
		if len(c.datagrams) > 0 {
			if !c.deliver() {
				return EndShutdown, nil
			}
			c.extendDeadline()
		}
	}
}

func (c *connection) handshake() error {
	secure := tls.Server(c.conn, c.server.TLS)
	ctx, cancel := context.WithTimeout(c.server.ctx, handshakeTimeout)
	defer cancel()
	if err := secure.HandshakeContext(ctx); err != nil {
		return err
	}
	c.stream = secure
	return nil
}

// deliver hands the datagrams to the reader and waits until it is done with them.
func (c *connection) deliver() bool {
	if len(c.datagrams) == 0 {
		return true
	}
	for i := range c.datagrams {
		c.datagrams[i].Source = c.source
	}
	return c.feed.handOver(c)
}

// extendDeadline sets the deadline of the next Read to the idle timeout, and during a drain to the end of the next pause.
func (c *connection) extendDeadline() {
	if c.server.IdleTimeout > 0 && !c.server.draining.Load() {
		_ = c.conn.SetReadDeadline(time.Now().Add(c.server.IdleTimeout))
	}
	// If a drain has begun meanwhile, the deadline above has replaced the drain's deadline.
	if c.server.draining.Load() {
		c.beginDrain()
	}
}

// beginDrain ends the present Read after drainPause, unless bytes come.
func (c *connection) beginDrain() {
	_ = c.conn.SetReadDeadline(c.server.drainDeadline(time.Now()))
}

// endOf returns the reason for which a Read failed. It returns the error too if the error has details that the reason lacks.
func (c *connection) endOf(err error) (End, error) {
	switch {
	case errors.Is(err, io.EOF):
		return EndClosed, nil
	case c.server.draining.Load():
		return EndShutdown, nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return EndIdle, nil
	default:
		return EndFailed, err
	}
}
