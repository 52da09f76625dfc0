package stream

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/socket"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testServer is a server whose feeds are read until stop.
type testServer struct {
	*Server
	readers sync.WaitGroup
	ends    chan End
	waited  chan struct{}

	mu    sync.Mutex
	lines []string // with <cut> if the last one is truncated
	seen  *sync.Cond
}

func serve(t *testing.T, change func(*Options)) *testServer {
	t.Helper()
	listeners, err := socket.Listen(t.Context(), socket.Options{Network: "tcp", Address: "127.0.0.1:0"})
	require.NoError(t, err)
	ts := &testServer{ends: make(chan End, 10000), waited: make(chan struct{}, 10000)}
	ts.seen = sync.NewCond(&ts.mu)
	s := Options{
		Listeners: listeners, MaxBytes: 1000, MaxConnections: 10, Feeds: 2,
		OnEnd:   func(end End, _ net.Addr, _ error) { ts.ends <- end },
		OnWait:  func() { ts.waited <- struct{}{} },
		OnError: func(err error) { t.Error(err) },
	}
	if change != nil {
		change(&s)
	}
	ts.Server = Serve(s)
	for _, f := range ts.Feeds() {
		ts.readers.Go(func() { ts.read(f) })
	}
	t.Cleanup(func() {
		require.NoError(t, ts.Close())
		ts.readers.Wait()
	})
	return ts
}

func (ts *testServer) read(f *Feed) {
	read := f.Read
	for {
		datagrams, err := read()
		switch {
		case errors.Is(err, socket.ErrWoken):
			read = f.Poll // like a reader that stops
			continue
		case err != nil || len(datagrams) == 0:
			return
		}
		ts.receive(datagrams)
	}
}

func (ts *testServer) receive(datagrams []socket.Datagram) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	for _, d := range datagrams {
		text := string(d.Payload)
		if d.Truncated {
			text += "<cut>"
		}
		for l := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
			ts.lines = append(ts.lines, l)
		}
	}
	ts.seen.Broadcast()
}

// wait returns the first n lines.
func (ts *testServer) wait(n int) []string {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	for len(ts.lines) < n {
		ts.seen.Wait()
	}
	return ts.lines
}

// stop drains the feeds.
func (ts *testServer) stop() {
	for _, f := range ts.Feeds() {
		_ = f.Wake()
	}
	ts.readers.Wait()
}

func (ts *testServer) dial(t *testing.T) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", ts.Listeners.All[0].Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func write(t *testing.T, c net.Conn, text string) {
	t.Helper()
	_, err := io.WriteString(c, text)
	require.NoError(t, err)
}

// ended waits until the server has closed the connection.
func ended(t *testing.T, c net.Conn) {
	t.Helper()
	_, err := io.Copy(io.Discard, c) // EOF or a reset
	_ = err
}

func TestLinesOfAConnection(t *testing.T) {
	ts := serve(t, nil)
	c := ts.dial(t)
	write(t, c, "a:1|c\nb:2")
	assert.Equal(t, []string{"a:1|c"}, ts.wait(1))
	write(t, c, "|c\nc:3|c")
	require.NoError(t, c.Close())
	assert.Equal(t, []string{"a:1|c", "b:2|c", "c:3|c"}, ts.wait(3))
	assert.Equal(t, EndClosed, <-ts.ends)
}

func TestManyConnectionsAreConserved(t *testing.T) {
	for _, feeds := range []int{1, 2, 4} {
		ts := serve(t, func(s *Options) { s.Feeds = feeds })
		const connections, each = 8, 2000
		var sending sync.WaitGroup
		for i := range connections {
			c := ts.dial(t)
			sending.Go(func() {
				for n := range each {
					if _, err := fmt.Fprintf(c, "c%d:%d|c\n", i, n); err != nil {
						t.Error(err)
					}
				}
				_ = c.Close()
			})
		}
		sending.Wait()
		next := make([]int, connections)
		for _, l := range ts.wait(connections * each) {
			var i, n int
			_, err := fmt.Sscanf(l, "c%d:%d|c", &i, &n)
			require.NoError(t, err)
			require.Equal(t, next[i], n, "the lines of a connection keep their order")
			next[i]++
		}
	}
}

// All bytes that the peers have written before the shutdown are read. An incomplete line is truncated.
func TestDrainReadsWhatConnectionsHold(t *testing.T) {
	ts := serve(t, func(s *Options) { s.IdleTimeout = time.Hour })
	const connections = 5
	clients := make([]net.Conn, connections)
	for i := range clients {
		clients[i] = ts.dial(t)
		write(t, clients[i], "a:1|c\n")
	}
	ts.wait(connections) // so that all are accepted: connections in the kernel's queue end with the listener
	for _, c := range clients {
		write(t, c, "b:1|c\nb:2|c\nb:3|")
	}
	ts.stop()
	counts := map[string]int{}
	for _, l := range ts.lines {
		counts[l]++
	}
	assert.Equal(t, map[string]int{"a:1|c": connections, "b:1|c": connections, "b:2|c": connections, "b:3|<cut>": connections}, counts)
	for range connections {
		assert.Equal(t, EndShutdown, <-ts.ends)
	}
}

func TestDrainOfAPeerThatNeverPausesEnds(t *testing.T) {
	ts := serve(t, nil)
	c := ts.dial(t)
	var sending sync.WaitGroup
	sending.Go(func() {
		for {
			if _, err := io.WriteString(c, "a:1|c\n"); err != nil {
				return
			}
		}
	})
	ts.wait(1)
	began := time.Now()
	ts.stop()
	require.NoError(t, ts.Close())
	assert.Less(t, time.Since(began), 5*time.Second)
	sending.Wait()
}

// Peers that are slow, silent or send without end do not delay other peers.
func TestSlowPeersDelayNobody(t *testing.T) {
	ts := serve(t, func(s *Options) { s.Feeds = 1 })
	write(t, ts.dial(t), "half a li")                     // never ends
	ts.dial(t)                                            // never begins
	write(t, ts.dial(t), strings.Repeat("endless", 1000)) // no newline
	flood := ts.dial(t)
	var sending sync.WaitGroup
	sending.Go(func() {
		for {
			if _, err := io.WriteString(flood, strings.Repeat("flood:1|c\n", 1000)); err != nil {
				return
			}
		}
	})
	c := ts.dial(t)
	for i := range 20 {
		write(t, c, fmt.Sprintf("mine:%d|c\n", i))
		want := fmt.Sprintf("mine:%d|c", i)
		ts.mu.Lock()
		for !slices.Contains(ts.lines, want) {
			ts.lines = ts.lines[:0]
			ts.seen.Wait()
		}
		ts.mu.Unlock()
	}
	require.NoError(t, flood.Close())
	sending.Wait()
}

// A connection beyond the bound waits, unread, until another ends. Its peer may be gone by then.
func TestConnectionsAreBounded(t *testing.T) {
	ts := serve(t, func(s *Options) { s.MaxConnections = 2 })
	first := ts.dial(t)
	write(t, first, "a:1|c\n")
	write(t, ts.dial(t), "b:1|c\n")
	ts.wait(2)
	third := ts.dial(t)
	write(t, third, "c:1|c\nc:2|c")
	require.NoError(t, third.Close())
	<-ts.waited
	fourth := ts.dial(t)
	write(t, fourth, "d:1|c\n")
	assert.Equal(t, 2, ts.Open())
	write(t, first, "a:2|c\n")
	assert.Equal(t, "a:2|c", ts.wait(3)[2])
	require.NoError(t, first.Close())
	assert.Equal(t, []string{"c:1|c", "c:2|c", "d:1|c"}, ts.wait(6)[3:])
	assert.Equal(t, EndClosed, <-ts.ends)
	assert.Equal(t, EndClosed, <-ts.ends)
}

// Clients that open a connection for each line, faster than connections end, lose none.
func TestShortConnectionsAreConserved(t *testing.T) {
	ts := serve(t, func(s *Options) { s.MaxConnections = 3 })
	const clients, each = 8, 300
	var sending sync.WaitGroup
	for range clients {
		sending.Go(func() {
			for range each {
				c, err := net.Dial("tcp", ts.Listeners.All[0].Addr().String())
				if err == nil {
					_, err = io.WriteString(c, "a:1|c\n")
				}
				if err == nil {
					err = c.Close()
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	sending.Wait()
	ts.wait(clients * each)
	for range clients * each {
		assert.Equal(t, EndClosed, <-ts.ends)
	}
	assert.NotEmpty(t, ts.waited)
	assert.Zero(t, ts.Open())
}

// A connection that the kernel has accepted before the shutdown is read, with a place or without.
func TestDrainReadsConnectionsThatWait(t *testing.T) {
	ts := serve(t, func(s *Options) { s.MaxConnections = 1 })
	first := ts.dial(t)
	write(t, first, "a:1|c\n")
	ts.wait(1)
	const waiting = 5
	for range waiting {
		write(t, ts.dial(t), "b:1|c\n")
	}
	ts.stop()
	require.NoError(t, ts.Close())
	assert.Len(t, ts.lines, 1+waiting)
	for range 1 + waiting {
		assert.Equal(t, EndShutdown, <-ts.ends)
	}
}

// A connection that waits does not delay a shutdown whose readers are gone.
func TestCloseEndsConnectionsThatWait(t *testing.T) {
	ts := serve(t, func(s *Options) { s.MaxConnections = 1 })
	write(t, ts.dial(t), "a:1|c\n")
	ts.wait(1)
	ts.dial(t)
	<-ts.waited
	require.NoError(t, ts.Close())
	assert.Equal(t, EndShutdown, <-ts.ends)
	assert.Equal(t, EndShutdown, <-ts.ends)
}

func TestDeniedConnections(t *testing.T) {
	allowed := netip.MustParsePrefix("192.0.2.0/24")
	ts := serve(t, func(s *Options) { s.Allows = allowed.Contains })
	ended(t, ts.dial(t))
	assert.Equal(t, EndDenied, <-ts.ends)
	assert.Zero(t, ts.Open())
}

// Bytes are not enough to keep a connection: it needs whole lines.
func TestIdleConnectionsEnd(t *testing.T) {
	ts := serve(t, func(s *Options) { s.IdleTimeout = 50 * time.Millisecond })
	ended(t, ts.dial(t))
	assert.Equal(t, EndIdle, <-ts.ends)
	slow := ts.dial(t)
	write(t, slow, "a:1|c\nb")
	ts.wait(1)
	ended(t, slow)
	assert.Equal(t, EndIdle, <-ts.ends)
	assert.Equal(t, []string{"a:1|c", "b<cut>"}, ts.wait(2))
}

func TestOverlongFrameEndsItsConnection(t *testing.T) {
	ts := serve(t, func(s *Options) { s.Framing = Length })
	other := ts.dial(t)
	write(t, other, frame("a:1|c"))
	ts.wait(1)
	c := ts.dial(t)
	write(t, c, frame("b:1|c")+frame(strings.Repeat("x", 1001))+frame("c:1|c"))
	ended(t, c)
	assert.Equal(t, EndOverlongFrame, <-ts.ends)
	write(t, other, frame("d:1|c"))
	assert.Equal(t, []string{"a:1|c", "b:1|c", "d:1|c"}, ts.wait(3))
}

// A peer that begins no TLS session does not delay other peers.
func TestHandshakeThatFails(t *testing.T) {
	ts := serve(t, func(s *Options) { s.TLS = &tls.Config{MinVersion: tls.VersionTLS13} })
	c := ts.dial(t)
	write(t, c, "a:1|c\n")
	ended(t, c)
	assert.Equal(t, EndHandshake, <-ts.ends)
	silent := ts.dial(t)
	defer func() { _ = silent.Close() }()
	require.NoError(t, ts.Close())
}

func TestNamesOfEnds(t *testing.T) {
	for e := range Ends {
		assert.NotEmpty(t, e.String())
		assert.NotEqual(t, "unknown", e.String())
	}
	assert.Equal(t, "unknown", Ends.String())
}

func TestAllocsFeed(t *testing.T) {
	ts := serve(t, func(s *Options) { s.Feeds = 0 })
	f := newFeed(ts.Server)
	c := &connection{server: ts.Server, feed: f, buffer: newBuffer(Newline, 1000), done: make(chan struct{}, 1)}
	text := []byte("a:1|c\nb:2|c\n")
	turn := func() {
		n := copy(c.room(), text)
		c.split(n)
		f.ready <- c
		f.readingBytes = 0
		if datagrams, err := f.Read(); err != nil || len(datagrams) != 1 {
			t.Fatal(datagrams, err)
		}
		f.readingBytes = 0 // no rest
		f.release()
		<-c.done
	}
	turn()
	assert.Zero(t, testing.AllocsPerRun(100, turn))
}
