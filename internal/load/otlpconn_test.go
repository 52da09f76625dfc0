package load

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
)

// counting is a gRPC server that counts points.
type counting struct {
	pmetricotlp.UnimplementedGRPCServer
	points atomic.Int64
}

func (s *counting) Export(_ context.Context, r pmetricotlp.ExportRequest) (pmetricotlp.ExportResponse, error) {
	s.points.Add(int64(r.Metrics().DataPointCount()))
	return pmetricotlp.NewExportResponse(), nil
}

// serve starts a gRPC server of grpc-go, which frames and closes connections in its own way.
func serve(t *testing.T, s *counting, options ...grpc.ServerOption) (address string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := grpc.NewServer(options...)
	pmetricotlp.RegisterGRPCServer(server, s)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(listener) // ends with Stop
	}()
	t.Cleanup(func() {
		server.Stop()
		<-ended
	})
	return listener.Addr().String()
}

func otlpTo(endpoint, protocol string) OTLPProfile {
	p := DefaultOTLPProfile()
	p.Endpoint, p.Protocol, p.Workers, p.Connections, p.Rate, p.Duration = endpoint, protocol, 2, 4, 200, 200*time.Millisecond
	return p
}

// A request of 10,000 points has several times the bytes that the server lets a client send at once.
func TestLargeRequestsWaitForTheServersWindow(t *testing.T) {
	s := &counting{}
	address := serve(t, s, grpc.InitialWindowSize(1<<16), grpc.InitialConnWindowSize(1<<16))
	p := otlpTo(address, OTLPOverGRPC)
	p.Points, p.Series, p.Rate = 10_000, 10_000, 50
	l, err := RunOTLP(t.Context(), p, nil)
	require.NoError(t, err)
	assert.EqualValues(t, 10, l.Acknowledged)
	assert.EqualValues(t, 100_000, s.points.Load())
}

// A server that ends its connections after some time loses no request.
func TestConnectionsThatTheServerEndsAreReplaced(t *testing.T) {
	t.Run(OTLPOverGRPC, func(t *testing.T) {
		s := &counting{}
		p := otlpTo(serve(t, s, grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionAge: 30 * time.Millisecond})), OTLPOverGRPC)
		p.Rate, p.Duration = 1000, 500*time.Millisecond
		l, err := RunOTLP(t.Context(), p, nil)
		require.NoError(t, err)
		assert.EqualValues(t, 500, l.Acknowledged)
		assert.EqualValues(t, 5000, s.points.Load())
	})
	t.Run(OTLPOverHTTP, func(t *testing.T) {
		var connections atomic.Int64
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Connection", "close")
		}))
		server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				connections.Add(1)
			}
		}
		server.Start()
		defer server.Close()
		l, err := RunOTLP(t.Context(), otlpTo(server.Listener.Addr().String(), OTLPOverHTTP), nil)
		require.NoError(t, err)
		assert.EqualValues(t, 40, l.Acknowledged)
		assert.EqualValues(t, 40, connections.Load())
	})
}

// A server may have closed a connection that was idle for long, so the next request opens another one.
func TestIdleConnectionsAreReplaced(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	c := &otlpConnection{endpoint: server.Listener.Addr().String(), protocol: newHTTPExchange}
	defer c.close()
	require.Equal(t, acknowledged, c.send(nil, time.Minute))
	first := c.conn
	require.Equal(t, acknowledged, c.send(nil, time.Minute))
	assert.Same(t, first, c.conn)
	c.lastUsed = time.Now().Add(-maxIdle - time.Second)
	require.Equal(t, acknowledged, c.send(nil, time.Minute))
	assert.NotSame(t, first, c.conn)
}

// What a server answers decides between refused and failed: a failed request may have arrived.
func TestAnswers(t *testing.T) {
	handlers := map[string]http.HandlerFunc{
		"not found":   http.NotFound,
		"unavailable": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
		"closes":      func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"hangs": func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // until then the server does not notice that the client has gone
			<-r.Context().Done()
		},
		"empty answer": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) },
		"a status of gRPC": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(http.TrailerPrefix+"Grpc-Status", "14")
		},
	}
	for name, want := range map[string]struct{ http, grpc answer }{
		"not found":        {refused, refused},
		"unavailable":      {refused, refused},
		"closes":           {failed, failed},
		"hangs":            {failed, failed},
		"empty answer":     {acknowledged, failed},
		"a status of gRPC": {acknowledged, refused},
	} {
		server := httptest.NewUnstartedServer(handlers[name])
		server.Config.Protocols = new(http.Protocols)
		server.Config.Protocols.SetHTTP1(true)
		server.Config.Protocols.SetUnencryptedHTTP2(true)
		server.Start()
		for protocol, want := range map[string]answer{OTLPOverHTTP: want.http, OTLPOverGRPC: want.grpc} {
			c := &otlpConnection{endpoint: server.Listener.Addr().String(), protocol: protocols[protocol]}
			timeout := time.Minute
			if name == "hangs" {
				timeout = 20 * time.Millisecond
			}
			assert.Equal(t, want, c.send([]byte("request"), timeout), "%s: %s", name, protocol)
			c.close()
		}
		server.Close()
	}
	for protocol, exchange := range protocols {
		c := &otlpConnection{endpoint: "127.0.0.1:0", protocol: exchange}
		assert.Equal(t, failed, c.send([]byte("request"), time.Minute), "nothing listens: %s", protocol)
	}
}
