package bench

import (
	"context"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receivertest"
)

// flushEvery is the interval of both receivers. Sending the datagrams of an interval needs a fraction of it. If a flush
// falls between them, the test sends the capture again.
const flushEvery = "100ms"

// attempts is the maximum number of attempts to send a capture. Each attempt has its own receiver.
const attempts = 20

// marker is a counter that each socket sends last. When all markers are in the output, so is everything before them.
const marker = "compat.marker"

// replay sends a capture to a receiver and returns the output, with "!flush" between intervals.
func replay(t *testing.T, factory receiver.Factory, keys map[string]any, capture []interval) string {
	t.Helper()
	for range attempts {
		if out, whole := attempt(t, factory, keys, capture); whole {
			return strings.Join(out, "!flush\n")
		}
	}
	require.FailNow(t, "a flush fell into every attempt")
	return ""
}

func attempt(t *testing.T, factory receiver.Factory, keys map[string]any, capture []interval) (out []string, whole bool) {
	t.Helper()
	r, err := start(t, factory, keys, flushEvery)
	if err != nil {
		t.Logf("another process has the port: %v", err)
		return nil, false
	}
	defer r.shutdown(t)
	// After the warm-up the first interval begins right after a flush.
	warmUp := interval{{from: home, payload: "compat.start:1|g"}}
	for i, sent := range append([]interval{warmUp}, capture...) {
		r.send(t, sent)
		for _, from := range sent.sockets() {
			r.write(t, datagram{from, marker + ":1|c"})
		}
		text, whole := r.await(len(sent.sockets()))
		if !whole {
			return nil, false
		}
		if i > 0 {
			out = append(out, text)
		}
	}
	return out, true
}

// interrupt sends an interval, shuts the receiver down before the flush, and returns the output.
func interrupt(t *testing.T, factory receiver.Factory, keys map[string]any, sent interval) string {
	t.Helper()
	r, err := start(t, factory, keys, "1h")
	require.NoError(t, err)
	r.send(t, sent)
	var all []string
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case b := <-r.batches:
				all = append(all, lines(b)...)
			case <-r.stopped.Done():
				return
			}
		}
	}()
	require.NoError(t, r.receiver.Shutdown(t.Context()))
	r.stop()
	<-done
	return text(all)
}

// batch has the metrics of one call of the consumer.
type batch struct {
	pmetric.Metrics
	client string // remoteHost of the context's client
}

// remoteHost returns the host of a client. It is empty without an address, for home, and for a Unix socket.
func remoteHost(addr net.Addr) string {
	if addr == nil {
		return ""
	}
	host, _, err := net.SplitHostPort(addr.String())
	if err != nil {
		host = addr.String()
	}
	if host == home || net.ParseIP(host) == nil || net.ParseIP(host).Equal(net.IPv6loopback) {
		return ""
	}
	return host
}

// running is a receiver, its output and the sockets that send to it.
type running struct {
	receiver         receiver.Metrics
	batches          chan batch
	stopped          context.Context // later output is dropped
	stop             func()
	network, address string
	conns            map[string]net.Conn
}

func start(t *testing.T, factory receiver.Factory, keys map[string]any, every string) (*running, error) {
	t.Helper()
	r := &running{batches: make(chan batch), conns: map[string]net.Conn{}}
	r.stopped, r.stop = context.WithCancel(t.Context())
	sink, err := consumer.NewMetrics(func(ctx context.Context, md pmetric.Metrics) error {
		select {
		case r.batches <- batch{md, remoteHost(client.FromContext(ctx).Addr)}:
		case <-r.stopped.Done():
		}
		return nil
	})
	require.NoError(t, err)
	r.network, r.address = freeAddress(t, keys)
	cfg, err := decodes(factory, over(keys, map[string]any{"endpoint": r.address, "aggregation_interval": every}))
	require.NoError(t, err)
	r.receiver, err = factory.CreateMetrics(t.Context(), receivertest.NewNopSettings(factory.Type()), cfg, sink)
	require.NoError(t, err)
	return r, r.receiver.Start(t.Context(), componenttest.NewNopHost())
}

func (r *running) shutdown(t *testing.T) {
	t.Helper()
	r.stop()
	require.NoError(t, r.receiver.Shutdown(t.Context()))
	for _, conn := range r.conns {
		require.NoError(t, conn.Close())
	}
}

// await reads batches until it has all markers. whole reports whether all of them belong to one flush: each batch has a
// marker, and all markers have the same time.
func (r *running) await(markers int) (out string, whole bool) {
	var (
		all   []string
		flush pcommon.Timestamp
	)
	for markers > 0 {
		b := <-r.batches
		value, at := markerOf(b.Metrics)
		if value == 0 || (flush != 0 && at != flush) {
			return "", false
		}
		flush = at
		markers -= value
		all = append(all, lines(b)...)
	}
	return text(all), true
}

// text returns the lines without the markers, sorted.
func text(lines []string) string {
	lines = slices.DeleteFunc(lines, func(line string) bool { return strings.HasPrefix(line, marker+"{") })
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// markerOf returns how many markers a batch has, and the time of its flush.
func markerOf(md pmetric.Metrics) (value int, at pcommon.Timestamp) {
	for _, rm := range md.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				if m.Name() != marker {
					continue
				}
				for _, p := range m.Sum().DataPoints().All() {
					value += int(p.IntValue()) + int(p.DoubleValue()) // one of them is 0
					at = p.Timestamp()
				}
			}
		}
	}
	return value, at
}

// send sends the datagrams of an interval in order.
func (r *running) send(t *testing.T, sent interval) {
	t.Helper()
	for _, d := range sent {
		r.write(t, d)
	}
}

func (r *running) write(t *testing.T, d datagram) {
	t.Helper()
	conn := r.conns[d.from]
	if conn == nil {
		dialer := net.Dialer{}
		if ip, _, _ := strings.Cut(d.from, "#"); ip != home {
			dialer.LocalAddr = &net.UDPAddr{IP: net.ParseIP(ip)}
		}
		var err error
		conn, err = dialer.DialContext(t.Context(), r.network, r.address)
		require.NoError(t, err)
		r.conns[d.from] = conn
	}
	_, err := conn.Write([]byte(d.payload))
	require.NoError(t, err)
}

// home is the address of senders, unless a capture names another one.
const home = "127.0.0.1"

// freeAddress returns an address to listen on for the transport in keys.
func freeAddress(t *testing.T, keys map[string]any) (network, address string) {
	t.Helper()
	network, _ = keys["transport"].(string)
	host := home
	switch network {
	case "":
		network = "udp"
	case "udp6":
		host = "::1"
	case "unixgram":
		return network, filepath.Join(t.TempDir(), "statsd.sock")
	}
	conn, err := net.ListenPacket(network, net.JoinHostPort(host, "0"))
	if err != nil && network == "udp6" {
		t.Skipf("no IPv6 on this host: %v", err)
	}
	require.NoError(t, err)
	defer conn.Close()
	return network, conn.LocalAddr().String()
}
