package stream

import (
	"net"
	"sync"
	"time"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/socket"
)

// Feed is the Conn of one reader: the connections that hand it their bytes. Read and Poll are
// for that reader, the other methods for any goroutine.
type Feed struct {
	server *Server
	ready  chan *connection // with datagrams; a connection is in it once at most
	woken  chan struct{}

	closed    chan struct{} // by Close
	closeOnce sync.Once

	held      []*connection // whose buffers the last Read returned
	heldBytes int
	datagrams []socket.Datagram
}

const (
	// feedBatch is the number of datagrams at which a Read turns to no further connection.
	feedBatch = 256
	// busyBytes in one Read show that the connections send at least as fast as the reader reads.
	busyBytes = 16 << 10
	// rest is how long a feed that is not busy lets bytes gather: to wake up for each line that a
	// client writes costs several times what the line costs.
	rest = time.Millisecond
)

func newFeed(s *Server) *Feed {
	return &Feed{
		server: s, ready: make(chan *connection, s.MaxConnections), woken: make(chan struct{}, 1), closed: make(chan struct{}),
	}
}

// Read waits for datagrams and returns at least one, or an error: [socket.ErrWoken] after Wake,
// net.ErrClosed after Close. What it returns is valid until the next call.
func (f *Feed) Read() ([]socket.Datagram, error) {
	if 0 < f.heldBytes && f.heldBytes < busyBytes {
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

// Poll ends the connections, reads their last bytes and returns no datagrams after the last.
// It is for the end of the reader.
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

// collect takes over the datagrams of a connection and of others that are ready.
func (f *Feed) collect(c *connection) []socket.Datagram {
	f.datagrams = f.datagrams[:0]
	for {
		f.held = append(f.held, c)
		for i := range c.datagrams {
			f.heldBytes += len(c.datagrams[i].Payload)
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

// release lets the connections read on.
func (f *Feed) release() {
	for _, c := range f.held {
		c.done <- struct{}{}
	}
	clear(f.held)
	f.held, f.heldBytes = f.held[:0], 0
}

// hand gives the connection's datagrams to the reader and returns when the reader is done with
// them. It reports false when the feed has ended before.
func (f *Feed) hand(c *connection) bool {
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

// Batch is 0: the feed itself rests.
func (f *Feed) Batch() int { return 0 }

// Wake makes the present or the next Read return [socket.ErrWoken].
func (f *Feed) Wake() error {
	select {
	case f.woken <- struct{}{}:
	default:
	}
	return nil
}

// Stats are empty: a stream waits for its reader, so that the kernel drops nothing.
func (f *Feed) Stats() (socket.Stats, error) { return socket.Stats{}, nil }

// Close ends a Read in progress.
func (f *Feed) Close() error {
	f.closeOnce.Do(func() { close(f.closed) })
	return nil
}
