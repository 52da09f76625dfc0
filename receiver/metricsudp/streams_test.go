package metricsudp

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/DataDog/datadog-go/v5/statsd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer/consumertest"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/socket"
)

// startStream starts a receiver of streams.
func startStream(t *testing.T, sink *consumertest.MetricsSink, keys map[string]any) *running {
	t.Helper()
	return start(t, sink, func(c *Config) {
		require.NoError(t, confmap.NewFromStringMap(keys).Unmarshal(c))
	})
}

// socketDir is a directory whose path leaves room for the name of a socket.
func socketDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "udp") //nolint:usetesting // t.TempDir is too long for a socket
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// totals returns the sums of the counters of all batches, by name.
func totals(sink *consumertest.MetricsSink) map[string]int64 {
	got := map[string]int64{}
	for _, md := range sink.AllMetrics() {
		metrics := md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics()
		for i := range metrics.Len() {
			points := metrics.At(i).Sum().DataPoints()
			for j := range points.Len() {
				got[metrics.At(i).Name()] += points.At(j).IntValue()
			}
		}
	}
	return got
}

// Every line that a client has written before the shutdown counts, for any number of readers.
func TestStreamsAreConserved(t *testing.T) {
	for _, transport := range []string{transportTCP, transportUnix} {
		for _, readers := range []int{1, 2, 4} {
			if transport == transportUnix && !socket.HasUnix || readers > socket.MaxSockets {
				continue
			}
			t.Run(fmt.Sprint(transport, readers), func(t *testing.T) {
				keys := map[string]any{"transport": transport, "framing": "newline", "readers": readers}
				if transport == transportUnix {
					keys["endpoint"] = filepath.Join(socketDir(t), "s")
				}
				sink := new(consumertest.MetricsSink)
				r := startStream(t, sink, keys)
				const clients, lines = 8, 500
				var sending, ticking sync.WaitGroup
				for i := range clients {
					c := dial(t, r.addr())
					sending.Go(func() {
						for range lines {
							if _, err := fmt.Fprintf(c, "total:1|c|@0.5\nown%d:1|c\n", i); err != nil {
								t.Error(err)
							}
						}
						if i%2 == 0 {
							if _, err := io.WriteString(c, "last:1|c"); err != nil { // counts, as the client closes
								t.Error(err)
							}
							_ = c.Close()
						}
					})
				}
				ticking.Go(func() {
					for i := range 20 {
						r.clock.tick(i + 1)
					}
				})
				sending.Wait()
				ticking.Wait()
				for len(r.counted(t, "ended_connections", "reason")) == 0 || sumOf(r.counted(t, "ended_connections", "reason")) < clients/2 {
					r.clock.tick(21)
				}
				require.NoError(t, r.Shutdown(context.Background()))
				want := map[string]int64{"total": 2 * clients * lines, "last": clients / 2}
				for i := range clients {
					want[fmt.Sprintf("own%d", i)] = lines
				}
				assert.Equal(t, want, totals(sink))
				assert.Equal(t, map[string]int64{"closed": clients / 2, "shutdown": clients / 2}, r.counted(t, "ended_connections", "reason"))
				assert.Zero(t, sumOf(r.counted(t, "rejected_lines", "reason")))
			})
		}
	}
}

// An overlong line is counted as truncated, and the lines around it count.
func TestOverlongLineOfAStream(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	r := startStream(t, sink, map[string]any{"transport": "tcp4", "max_datagram_size": 20})
	c := dial(t, r.addr())
	_, err := io.WriteString(c, "a:1|c\nlong:1|c|#tags:values\nb:1|c\n"+"0123456789012:1|c|#t\nc:1|c")
	require.NoError(t, err)
	require.NoError(t, c.Close())
	r.waitEnded(t, 1)
	require.NoError(t, r.Shutdown(context.Background()))
	assert.Equal(t, map[string]int64{"a": 1, "b": 1, "c": 1, "0123456789012": 1}, totals(sink))
	assert.Equal(t, map[string]int64{"truncated": 1}, r.counted(t, "rejected_lines", "reason"))
}

// waitEnded waits until a number of connections have ended: all of their lines are in a table.
func (r *running) waitEnded(t *testing.T, n int64) {
	t.Helper()
	for sumOf(r.counted(t, "ended_connections", "reason")) < n {
		r.clock.tick(1)
	}
}

func TestDatadogClientOverAUnixStream(t *testing.T) {
	if !socket.HasUnix {
		t.Skip("no Unix sockets on this system")
	}
	path := filepath.Join(socketDir(t), "s")
	sink := new(consumertest.MetricsSink)
	r := startStream(t, sink, map[string]any{"transport": "unix", "endpoint": path})
	client, err := statsd.New("unixstream://"+path, statsd.WithoutTelemetry(), statsd.WithContainerID("ci-"+datadogContainer))
	require.NoError(t, err)
	for i := range 1000 {
		require.NoError(t, client.Count("hits", int64(i), []string{"shop:berlin"}, 1))
		require.NoError(t, client.Distribution("took", float64(i), nil, 1))
	}
	require.NoError(t, client.Close())
	r.waitEnded(t, 1)
	require.NoError(t, r.Shutdown(context.Background()))
	assert.Equal(t, int64(999*1000/2), findMetric(t, sink.AllMetrics(), "hits").Sum().DataPoints().At(0).IntValue())
	var took uint64
	for _, md := range sink.AllMetrics() {
		metrics := md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics()
		for i := range metrics.Len() {
			if metrics.At(i).Name() == "took" {
				took += metrics.At(i).ExponentialHistogram().DataPoints().At(0).Count()
			}
		}
	}
	assert.Equal(t, uint64(1000), took)
	assert.Zero(t, sumOf(r.counted(t, "rejected_lines", "reason")))
	assert.NoFileExists(t, path)
}

// The keys of contrib's statsd receiver over TCP, and what its clients send.
func TestStatsdOverTCP(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	r := startStream(t, sink, map[string]any{
		"compatibility": "statsd", "transport": "tcp", "endpoint": "127.0.0.1:0", "aggregation_interval": "70s",
		"dialer": map[string]any{"timeout": "1s"},
	})
	c := dial(t, r.addr())
	_, err := io.WriteString(c, "test.metric:42|c|#myKey:myVal\ntest.metric:1|c|#myKey:myVal\n")
	require.NoError(t, err)
	require.NoError(t, c.Close())
	r.waitEnded(t, 1)
	require.NoError(t, r.Shutdown(context.Background()))
	p := findMetric(t, sink.AllMetrics(), "test.metric").Sum().DataPoints().At(0)
	assert.Equal(t, int64(43), p.IntValue())
	resource := sink.AllMetrics()[0].ResourceMetrics().At(0).Resource().Attributes().AsRaw()
	assert.Equal(t, map[string]any{"client.address": "127.0.0.1"}, resource, "origin: ip is of the connection")
}

func TestTLS(t *testing.T) {
	certFile, keyFile, roots := certificate(t)
	sink := new(consumertest.MetricsSink)
	r := startStream(t, sink, map[string]any{"transport": "tcp", "tls": map[string]any{"cert_file": certFile, "key_file": keyFile}})
	c, err := tls.Dial("tcp", r.addr().String(), &tls.Config{RootCAs: roots})
	require.NoError(t, err)
	for range 100 {
		_, err = io.WriteString(c, "a:1|c\n")
		require.NoError(t, err)
	}
	_, err = io.WriteString(c, "a:1|c") // the end of the session is that of the line
	require.NoError(t, err)
	require.NoError(t, c.Close())
	r.waitEnded(t, 1)

	plain := dial(t, r.addr())
	_, err = io.WriteString(plain, "a:1|c\n")
	require.NoError(t, err)
	r.waitEnded(t, 2)

	held, err := tls.Dial("tcp", r.addr().String(), &tls.Config{RootCAs: roots})
	require.NoError(t, err)
	defer func() { _ = held.Close() }()
	_, err = io.WriteString(held, "a:1|c\n") // read in the shutdown
	require.NoError(t, err)
	require.NoError(t, r.Shutdown(context.Background()))
	assert.Equal(t, map[string]int64{"a": 102}, totals(sink))
	assert.Zero(t, sumOf(r.counted(t, "rejected_lines", "reason")))
	assert.Equal(t, map[string]int64{"closed": 1, "tls_handshake": 1, "shutdown": 1}, r.counted(t, "ended_connections", "reason"))
}

// After the handshake the server sends only the alert that ends the session. StatsD clients never read. If a client closes with
// unread bytes, its kernel resets the connection, and its lines are lost.
func TestTLSClientsNeedNotRead(t *testing.T) {
	certFile, keyFile, roots := certificate(t)
	sink := new(consumertest.MetricsSink)
	r := startStream(t, sink, map[string]any{"transport": "tcp", "tls": map[string]any{"cert_file": certFile, "key_file": keyFile}})
	plain := dial(t, r.addr())
	c := tls.Client(plain, &tls.Config{
		RootCAs: roots, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS13,
		ClientSessionCache: tls.NewLRUClientSessionCache(1), // asks for tickets
	})
	_, err := io.WriteString(c, "a:1|c\n")
	require.NoError(t, err)
	require.NoError(t, c.CloseWrite())
	received, err := io.ReadAll(plain)
	require.NoError(t, err)
	const alertBytes = 5 + 2 + 1 + 16 // header, alert, type and tag of a record of TLS 1.3
	assert.Len(t, received, alertBytes)
	require.NoError(t, r.Shutdown(context.Background()))
	assert.Equal(t, map[string]int64{"a": 1}, totals(sink))
}

// certificate writes a certificate of 127.0.0.1 and its key.
func certificate(t *testing.T) (certFile, keyFile string, roots *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	require.NoError(t, os.WriteFile(certFile, certPEM, 0o600))
	require.NoError(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600))
	roots = x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(certPEM))
	return certFile, keyFile, roots
}

func TestTLSFilesAreRead(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	require.NoError(t, confmap.NewFromStringMap(map[string]any{
		"transport": "tcp", "endpoint": "127.0.0.1:0", "tls": map[string]any{"cert_file": "/nowhere", "key_file": "/nowhere"},
	}).Unmarshal(cfg))
	require.NoError(t, cfg.Validate())
	r, err := newReceiver(nopSettings(), cfg, consumertest.NewNop())
	require.NoError(t, err)
	require.ErrorContains(t, r.Start(context.Background(), nil), "tls: ")
	require.NoError(t, r.Shutdown(context.Background()))
}

// A connection beyond max_connections waits, and is counted and logged.
func TestConnectionsThatWait(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	r := startStream(t, sink, map[string]any{"transport": "tcp", "max_connections": 1})
	first := dial(t, r.addr())
	_, err := io.WriteString(first, "a:1|c\n")
	require.NoError(t, err)
	second := dial(t, r.addr())
	_, err = io.WriteString(second, "b:1|c\n")
	require.NoError(t, err)
	require.NoError(t, second.Close())
	for sumOf(r.counted(t, "connection_waits", "receiver")) == 0 {
		r.clock.tick(1)
	}
	assert.Empty(t, r.counted(t, "ended_connections", "reason"))
	r.clock.tick(2)
	r.clock.tick(3)
	assert.Equal(t, int64(1), r.gauge(t, "connections"))
	require.NoError(t, first.Close())
	r.waitEnded(t, 2)
	require.NoError(t, r.Shutdown(context.Background()))
	assert.Equal(t, map[string]int64{"a": 1, "b": 1}, totals(sink))
	assert.Equal(t, map[string]int64{"closed": 2}, r.counted(t, "ended_connections", "reason"))
}

func TestTakenTCPPort(t *testing.T) {
	first := startStream(t, new(consumertest.MetricsSink), map[string]any{"transport": "tcp"})
	cfg := createDefaultConfig().(*Config)
	cfg.Transport, cfg.Endpoint = transportTCP, first.addr().String()
	second, err := newReceiver(nopSettings(), cfg, consumertest.NewNop())
	require.NoError(t, err)
	var inUse *socket.InUseError
	require.ErrorAs(t, second.Start(context.Background(), nil), &inUse)
	require.NoError(t, second.Shutdown(context.Background()))
}
