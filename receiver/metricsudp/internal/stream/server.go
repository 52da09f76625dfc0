package stream

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/otelcol-custom/otelcol-custom/internal/wait"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/socket"
)

// Options of a server.
type Options struct {
	Listeners      *socket.Listeners // the server closes them
	Framing        Framing
	MaxBytes       int                   // maximum length of a line or a frame
	MaxConnections int                   // that are read at once; others wait until one ends
	IdleTimeout    time.Duration         // maximum time until the next complete line or frame; 0: unlimited
	TLS            *tls.Config           // nil: no TLS
	Feeds          int                   // number of feeds
	Allows         func(netip.Addr) bool // nil: all sources are allowed
	// OnEnd is called for each connection that ended or was refused, from its goroutine. The error may be nil. OnEnd must be
	// quick.
	OnEnd func(end End, source net.Addr, err error)
	// OnWait is called for each connection that has to wait because MaxConnections are open, when it begins to wait.
	OnWait func()
	// OnError is called with errors of the listeners. They continue to accept connections.
	OnError func(error)
}

// Server accepts connections until Close, or until a feed polls.
type Server struct {
	Options
	feeds  []*Feed
	ctx    context.Context // ends with Close
	cancel context.CancelFunc

	draining  atomic.Bool // whether the drain has begun; drainEnd is set before it
	drainOnce sync.Once
	drainEnd  time.Time
	drained   chan struct{} // closed when all connections have ended, or at drainEnd

	places chan struct{} // has an element for each connection that is read

	running   sync.WaitGroup // all goroutines except those of listeners and connections
	accepting sync.WaitGroup // goroutines of listeners
	serving   sync.WaitGroup // goroutines of connections

	mu     sync.Mutex // guards everything declared below
	open   map[*connection]struct{}
	next   int  // index of the feed of the next connection
	closed bool // no connection is added any more
}

const (
	// drainPause is the pause after which a connection has no bytes left. The bytes in the kernel are read without a pause.
	drainPause = 20 * time.Millisecond
	// drainTime bounds the drain if a peer never pauses.
	drainTime = 250 * time.Millisecond
	// acceptPause is the pause after an error of a listener, such as too many open files.
	acceptPause = 100 * time.Millisecond
)

// Serve starts a server, which accepts connections at once.
func Serve(s Options) *Server {
	server := &Server{
		Options: s, open: map[*connection]struct{}{}, drained: make(chan struct{}), places: make(chan struct{}, s.MaxConnections),
	}
	server.ctx, server.cancel = context.WithCancel(context.Background())
	for range s.Feeds {
		server.feeds = append(server.feeds, newFeed(server))
	}
	for _, l := range s.Listeners.All {
		server.accepting.Go(func() { server.accept(l) })
	}
	return server
}

// Feeds returns the Conns of the readers.
func (s *Server) Feeds() []*Feed { return s.feeds }

// Open returns the number of open connections.
func (s *Server) Open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}

// accept serves the connections of a listener. In a drain it ends when the kernel has no more connections.
func (s *Server) accept(l net.Listener) {
	for {
		conn, err := l.Accept()
		switch {
		case err == nil:
			s.admit(conn)
			if s.draining.Load() {
				s.limitAccepts()
			}
		case s.draining.Load(), errors.Is(err, net.ErrClosed):
			return
		default:
			s.OnError(err)
			wait.For(s.ctx.Done(), acceptPause)
		}
	}
}

// admit serves the connection in a goroutine of its own, or refuses it.
func (s *Server) admit(conn net.Conn) {
	c := &connection{server: s, conn: conn, stream: conn, source: addressOf(conn), done: make(chan struct{}, 1)}
	refused, ok := EndDenied, s.Allows == nil || s.Allows(c.source)
	if ok {
		refused, ok = EndShutdown, s.waitForPlace() && s.serve(c)
	}
	if !ok {
		_ = conn.Close()
		s.OnEnd(refused, conn.RemoteAddr(), nil)
	}
}

// waitForPlace waits until fewer than MaxConnections are open. Meanwhile the kernel keeps the connections after this one, with
// the bytes that their peers send. It reports false at the end of a drain.
func (s *Server) waitForPlace() bool {
	select {
	case s.places <- struct{}{}:
		return true
	default:
	}
	s.OnWait()
	select {
	case s.places <- struct{}{}:
		return true
	case <-s.drained:
		return false
	}
}

// serve reads a connection in a goroutine of its own. waitForPlace must have returned true. After Close serve reports false.
func (s *Server) serve(c *connection) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	c.feed = s.feeds[s.next]
	s.next = (s.next + 1) % len(s.feeds)
	c.buffer = newBuffer(s.Framing, s.MaxBytes)
	s.open[c] = struct{}{}
	s.serving.Go(func() {
		end, err := c.serve()
		_ = c.stream.Close() // tells the peer that a TLS session ends, and closes conn
		s.remove(c)
		s.OnEnd(end, c.conn.RemoteAddr(), err)
	})
	return true
}

func (s *Server) remove(c *connection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c)
	<-s.places
}

// addressOf returns the peer's address. Peers of Unix sockets have none.
func addressOf(conn net.Conn) netip.Addr {
	if tcp, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap().WithZone("")
	}
	return netip.Addr{}
}

// drain ends the listeners when the kernel has no more connections, and the connections when the kernel has no more bytes. The
// returned channel is closed when all have ended, or after drainTime.
func (s *Server) drain() <-chan struct{} {
	s.drainOnce.Do(func() {
		s.drainEnd = time.Now().Add(drainTime)
		s.draining.Store(true)
		s.limitAccepts()
		s.limitReads()
		s.running.Go(func() {
			defer close(s.drained)
			ended := make(chan struct{})
			s.running.Go(func() {
				defer close(ended)
				s.accepting.Wait()
				if err := s.Listeners.Close(); err != nil {
					s.OnError(err)
				}
				s.serving.Wait()
			})
			wait.For(ended, drainTime)
		})
	})
	return s.drained
}

// drainDeadline returns the time at which a Read or an Accept that begins now ends without bytes or a connection.
func (s *Server) drainDeadline(now time.Time) time.Time {
	if deadline := now.Add(drainPause); deadline.Before(s.drainEnd) {
		return deadline
	}
	return s.drainEnd
}

func (s *Server) limitAccepts() {
	if err := s.Listeners.SetDeadline(s.drainDeadline(time.Now())); err != nil {
		s.OnError(err)
	}
}

func (s *Server) limitReads() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.open {
		c.beginDrain()
	}
}

// Close ends all connections at once and waits for every goroutine.
func (s *Server) Close() error {
	s.drain()
	s.cancel()
	for _, f := range s.feeds {
		_ = f.Close()
	}
	s.closeConnections()
	s.running.Wait()
	return nil
}

func (s *Server) closeConnections() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for c := range s.open {
		_ = c.conn.Close()
	}
}
