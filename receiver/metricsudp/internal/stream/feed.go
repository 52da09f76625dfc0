package stream

import (
	"net"
	"sync"
	"time"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/socket"
)

// Feed is the Conn of one reader. Connections hand over their datagrams to it. Only the reader may call Read and Poll; any
// goroutine may call the other methods.
type Feed struct {
	server *Server
	ready  chan *connection // connections with datagrams, each at most once
	woken  chan struct{}

	closed    chan struct{} // closed by Close
	closeOnce sync.Once

	reading      []*connection // connections whose buffers the last Read returned
	readingBytes int           // bytes that the last Read returned
	datagrams    []socket.Datagram
}

const (
	// feedBatch is the number of datagrams after which a Read adds those of no further connection.
	feedBatch = 256
	// busyBytes is the number of bytes in one Read from which on the feed is busy: the connections send at least as fast as
	// the reader reads.
	busyBytes = 16 << 10
	// rest is the time for which a feed that is not busy lets bytes gather. To wake up for each line that a client writes costs
	// several times what the line costs.
	rest = time.Millisecond
)

func newFeed(s *Server) *Feed {
	return &Feed{
		server: s, ready: make(chan *connection, s.MaxConnections), woken: make(chan struct{}, 1), closed: make(chan struct{}),
	}
}

// Read waits for datagrams and returns at least one, or an error: [socket.ErrWoken] after Wake, net.ErrClosed after Close. The
// datagrams are valid until the next call.
func (f *Feed) Read() ([]socket.Datagram, error) {
	if 0 < f.readingBytes && f.readingBytes < busyBytes {
		time.Sleep(rest)
	}
	f.release()
	select {
	case <-f.woken:
		return nil, socket.ErrWoken
	case <-f.closed:
		return nil, net.ErrClosed
	default:
	}
	select {
	case c := <-f.ready:
		return f.collect(c), nil
	case <-f.woken:
		return nil, socket.ErrWoken
	case <-f.closed:
		return nil, net.ErrClosed
	}
}

// Poll begins a drain, which ends the connections, and returns their last datagrams. After the last one it returns no datagrams.
// The reader calls it when it ends.
func (f *Feed) Poll() ([]socket.Datagram, error) {
	f.release()
	drained := f.server.drain()
	select {
	case c := <-f.ready:
		return f.collect(c), nil
	default:
	}
	select {
	case c := <-f.ready:
		return f.collect(c), nil
	case <-drained:
		return nil, nil
	case <-f.closed:
		return nil, net.ErrClosed
	}
}

// collect returns the datagrams of a connection and of other connections that are ready.
func (f *Feed) collect(c *connection) []socket.Datagram {
	f.datagrams = f.datagrams[:0]
	for {
		f.reading = append(f.reading, c)
		for i := range c.datagrams {
			f.readingBytes += len(c.datagrams[i].Payload)
		}
		f.datagrams = append(f.datagrams, c.datagrams...)
		if len(f.datagrams) >= feedBatch {
			return f.datagrams
		}
		select {
		case c = <-f.ready:
		default:
			return f.datagrams
		}
	}
}

// release lets the connections of the last Read continue to read.
func (f *Feed) release() {
	for _, c := range f.reading {
		c.done <- struct{}{}
	}
	clear(f.reading)
	f.reading, f.readingBytes = f.reading[:0], 0
}

// handOver passes the connection's datagrams to the reader and returns when the reader is done with them. It reports false if the
// feed is closed before.
func (f *Feed) handOver(c *connection) bool {
	select {
	case f.ready <- c:
	case <-f.closed:
		return false
	}
	select {
	case <-c.done:
		return true
	case <-f.closed:
		return false
	}
}

// Wake makes the present or the next Read return [socket.ErrWoken].
func (f *Feed) Wake() error {
	select {
	case f.woken <- struct{}{}:
	default:
	}
	return nil
}

// Stats returns no statistics: the sender of a stream waits for the reader, so the kernel drops nothing.
func (f *Feed) Stats() (socket.Stats, error) { return socket.Stats{}, nil }

// Close ends a Read in progress.
func (f *Feed) Close() error {
	f.closeOnce.Do(func() { close(f.closed) })
	return nil
}
