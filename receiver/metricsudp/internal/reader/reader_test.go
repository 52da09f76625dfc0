package reader

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/series"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/socket"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// scriptedConn returns the results that the test puts in, one per call.
type scriptedConn struct {
	results chan result
	wake    chan struct{}
	polled  int
}

type result struct {
	datagrams []socket.Datagram
	err       error
}

func newScriptedConn() *scriptedConn {
	return &scriptedConn{results: make(chan result, 100), wake: make(chan struct{}, 1)}
}

func (c *scriptedConn) Read() ([]socket.Datagram, error) {
	select {
	case r := <-c.results:
		return r.datagrams, r.err
	case <-c.wake:
		return nil, socket.ErrWoken
	}
}

func (c *scriptedConn) Poll() ([]socket.Datagram, error) {
	c.polled++
	select {
	case <-c.wake:
		return nil, socket.ErrWoken
	default:
	}
	select {
	case r := <-c.results:
		return r.datagrams, r.err
	default:
		return nil, nil
	}
}

func (c *scriptedConn) Wake() error {
	select {
	case c.wake <- struct{}{}:
	default:
	}
	return nil
}

func (c *scriptedConn) Stats() (socket.Stats, error) { return socket.Stats{BufferBytes: 4096}, nil }
func (c *scriptedConn) Close() error                 { return nil }

func datagrams(payloads ...string) result {
	var r result
	for _, p := range payloads {
		r.datagrams = append(r.datagrams, socket.Datagram{Payload: []byte(p), Source: netip.MustParseAddr("10.1.2.3")})
	}
	return r
}

type rig struct {
	*Reader
	conn     *scriptedConn
	running  sync.WaitGroup
	reported chan error
}

func newRig(allowed ...string) *rig {
	r := &rig{conn: newScriptedConn(), reported: make(chan error, 100)}
	registry := series.NewRegistry(series.Options{
		Limits:   line.Limits{NameBytes: 512, TagBytes: 512, MinRate: 1e-6},
		MaxBytes: 1 << 20, MaxSeries: 10, MaxAliases: 10, MaxTags: 10, Tables: 1, ExpirySwaps: 10, IntCounters: true,
	})
	s := Options{
		Conn: r.conn, Table: series.NewTable(registry),
		Now: func() int64 { return 1 }, OnError: func(err error) { r.reported <- err },
	}
	for _, a := range allowed {
		s.Allowed = append(s.Allowed, netip.MustParsePrefix(a))
	}
	r.Reader = New(s)
	r.running.Go(r.Run)
	return r
}

func (r *rig) stop() series.Stats {
	r.Stop()
	stats := (<-r.Retired()).Stats
	r.running.Wait()
	return stats
}

func TestEveryDatagramIsInOneEpoch(t *testing.T) {
	r := newRig()
	var lines, received uint64
	collect := func(e *series.Epoch) {
		lines += e.Stats.Lines[line.Counter]
		received += e.Stats.Datagrams
		e.Merge(func(*series.Series, bool) {})
	}
	for range 50 {
		r.conn.results <- datagrams("a:1|c\na:1|c", "a:1|c")
		r.Swap()
		collect(<-r.Retired())
	}
	stats := r.stop()
	assert.Equal(t, uint64(150), lines+stats.Lines[line.Counter])
	assert.Equal(t, uint64(100), received+stats.Datagrams)
}

func TestStopReadsWhatTheSocketHolds(t *testing.T) {
	r := newRig()
	r.Swap()
	(<-r.Retired()).Merge(func(*series.Series, bool) {})
	for range 5 {
		r.conn.results <- datagrams("a:1|c")
	}
	assert.Equal(t, uint64(5), r.stop().Datagrams)
}

var drainOptions = series.Options{
	MaxBytes: 1 << 20, MaxSeries: 1, MaxAliases: 2, Tables: 1, ExpirySwaps: 2, Limits: line.Limits{NameBytes: 9}, MaxTags: 1,
}

// A sender that never stops does not extend a shutdown. The drain ends after as many datagrams as the receive buffer has room for:
// five in this test, because each needs more of the buffer than its bytes.
func TestDrainIsBounded(t *testing.T) {
	r := &Reader{Options: Options{Conn: &endlessConn{}, OnError: func(error) {}, Now: func() int64 { return 0 }}}
	r.Table = series.NewTable(series.NewRegistry(drainOptions))
	r.drain()
	assert.Equal(t, uint64(5), r.Table.Swap().Stats.Datagrams)
}

type endlessConn struct{ scriptedConn }

func (c *endlessConn) Poll() ([]socket.Datagram, error) { return datagrams("a:1|c").datagrams, nil }

func (c *endlessConn) Stats() (socket.Stats, error) {
	return socket.Stats{BufferBytes: 5 * minCharge / 2}, nil
}

// A pending error does not remove the datagrams from the socket.
func TestDrainGoesOnAfterAnError(t *testing.T) {
	failure := errors.New("no route to host")
	var reported []error
	conn := newScriptedConn()
	r := &Reader{Options: Options{
		Conn: conn, OnError: func(err error) { reported = append(reported, err) }, Now: func() int64 { return 0 },
		Table: series.NewTable(series.NewRegistry(drainOptions)),
	}}
	conn.results <- result{err: failure}
	conn.results <- datagrams("a:1|c")
	r.drain()
	assert.Equal(t, uint64(1), r.Table.Swap().Stats.Datagrams)
	assert.Equal(t, []error{failure}, reported)
}

func TestDrainGivesUpOnASocketThatFails(t *testing.T) {
	failures := 0
	r := &Reader{Options: Options{Conn: &failingConn{}, OnError: func(error) { failures++ }}}
	r.drain()
	assert.Equal(t, drainFailures, failures)
}

type failingConn struct{ scriptedConn }

func (c *failingConn) Poll() ([]socket.Datagram, error) { return nil, net.ErrClosed }

func TestSourcesThatAreNotAllowed(t *testing.T) {
	r := newRig("192.168.0.0/16", "10.1.0.0/16")
	other := datagrams("a:1|c")
	other.datagrams[0].Source = netip.MustParseAddr("10.2.2.3")
	r.conn.results <- datagrams("a:1|c", "a:1|c")
	r.conn.results <- other
	stats := r.stop()
	assert.Equal(t, uint64(2), stats.Datagrams)
	assert.Equal(t, uint64(1), stats.Denied)
}

func TestSocketErrorsDoNotEndTheReader(t *testing.T) {
	failure := errors.New("no buffer space")
	r := newRig()
	r.conn.results <- result{err: failure}
	require.ErrorIs(t, <-r.reported, failure)
	r.conn.results <- datagrams("a:1|c")
	assert.Equal(t, uint64(1), r.stop().Datagrams)
}
