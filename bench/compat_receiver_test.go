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

// interval of both receivers. A capture takes a fraction of it; that it came in
// between two flushes is checked, and where it did not the capture is sent anew.
const flushEvery = "100ms"

// attempts of a capture, each on a receiver of its own.
const attempts = 20

// marker is a counter that each socket sends last: when all have come out, so has
// everything before them.
const marker = "compat.marker"

// replay sends a capture to a receiver and returns what came out of it, with
// "!flush" between intervals.
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
		t.Logf("port taken meanwhile: %v", err)
		return nil, false
	}
	defer r.shutdown(t)
	// A flush has just been when the first interval begins.
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

// interrupt sends an interval, shuts the receiver down before its end, and returns
// what comes out.
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

// batch is what a receiver hands on in one call.
type batch struct {
	pmetric.Metrics
	client string // of the context; empty at home, for a Unix socket, and without one
}

func awayFrom(addr net.Addr) string {
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
	stopped          context.Context // what comes out after that is dropped
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
		case r.batches <- batch{md, awayFrom(client.FromContext(ctx).Addr)}:
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

// await takes batches until they have all markers. Whole tells whether everything
// came out of one flush: each batch has a marker, and all have the same time.
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

// text is lines in order, without the markers.
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
					value += int(p.IntValue()) + int(p.DoubleValue()) // one of which is 0
					at = p.Timestamp()
				}
			}
		}
	}
	return value, at
}

// send sends an interval's datagrams in their order.
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

// home is where senders are unless a capture says otherwise.
const home = "127.0.0.1"

// freeAddress is one to listen at for the transport of the keys.
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
