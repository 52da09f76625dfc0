package fallbacklog

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// backend is an OTLP server over gRPC and HTTP. A test decides its answers. It keeps the names of the accepted items.
type backend struct {
	answer func(name string) error // for each item; nil: accept it; guarded by mu
	hang   chan struct{}           // if not nil, answers wait until it is closed; guarded by mu
	lost   error                   // error that senders get for accepted requests; guarded by mu
	mu     sync.Mutex
	took   map[string]int
	calls  int

	grpcAddr, httpURL string
}

// serve runs a gRPC server with the services that register adds, and an HTTP server, until the test ends.
func serve(t testing.TB, register func(*grpc.Server), web http.Handler) (grpcAddr, httpURL string) {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	srv := grpc.NewServer()
	register(srv)
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = srv.Serve(lis)
	}()
	server := httptest.NewServer(web)
	t.Cleanup(func() {
		srv.Stop()
		<-served
		server.CloseClientConnections()
		server.Close()
	})
	return lis.Addr().String(), server.URL
}

func newBackend(t testing.TB) *backend {
	t.Helper()
	b := &backend{took: map[string]int{}}
	b.grpcAddr, b.httpURL = serve(t, func(srv *grpc.Server) {
		ptraceotlp.RegisterGRPCServer(srv, &traceServer{b: b})
		pmetricotlp.RegisterGRPCServer(srv, &metricServer{b: b})
		plogotlp.RegisterGRPCServer(srv, &logServer{b: b})
	}, b)
	t.Cleanup(b.release) // before the servers stop
	return b
}

func (b *backend) set(answer func(string) error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answer = answer
}

func (b *backend) refuse(c codes.Code) {
	b.set(func(string) error { return status.Error(c, "told to") })
}

// loseAnswers makes senders get an error for accepted requests, as if the answers came too late.
func (b *backend) loseAnswers(lost error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lost = lost
}

func (b *backend) holdAnswers() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hang = make(chan struct{})
}

func (b *backend) release() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.hang != nil {
		close(b.hang)
		b.hang = nil
	}
}

func (b *backend) receive(ctx context.Context, names []string) error {
	b.mu.Lock()
	hang := b.hang
	b.calls++
	b.mu.Unlock()
	if hang != nil {
		select {
		case <-hang:
		case <-ctx.Done():
			return ctx.Err()
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, n := range names {
		if b.answer == nil {
			break
		}
		if err := b.answer(n); err != nil {
			return err
		}
	}
	for _, n := range names {
		b.took[n]++
	}
	return b.lost
}

func (b *backend) names() map[string]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	m := make(map[string]int, len(b.took))
	for k, v := range b.took {
		m[k] = v
	}
	return m
}

type (
	traceServer struct {
		ptraceotlp.UnimplementedGRPCServer
		b *backend
	}
	metricServer struct {
		pmetricotlp.UnimplementedGRPCServer
		b *backend
	}
	logServer struct {
		plogotlp.UnimplementedGRPCServer
		b *backend
	}
)

func (s *traceServer) Export(ctx context.Context, r ptraceotlp.ExportRequest) (ptraceotlp.ExportResponse, error) {
	return ptraceotlp.NewExportResponse(), s.b.receive(ctx, traceNames(r.Traces()))
}

func (s *metricServer) Export(ctx context.Context, r pmetricotlp.ExportRequest) (pmetricotlp.ExportResponse, error) {
	return pmetricotlp.NewExportResponse(), s.b.receive(ctx, metricNames(r.Metrics()))
}

func (s *logServer) Export(ctx context.Context, r plogotlp.ExportRequest) (plogotlp.ExportResponse, error) {
	return plogotlp.NewExportResponse(), s.b.receive(ctx, logNames(r.Logs()))
}

// ServeHTTP serves OTLP over HTTP.
func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	var names []string
	switch r.URL.Path {
	case "/v1/traces":
		req := ptraceotlp.NewExportRequest()
		err = req.UnmarshalProto(body)
		names = traceNames(req.Traces())
	case "/v1/metrics":
		req := pmetricotlp.NewExportRequest()
		err = req.UnmarshalProto(body)
		names = metricNames(req.Metrics())
	case "/v1/logs":
		req := plogotlp.NewExportRequest()
		err = req.UnmarshalProto(body)
		names = logNames(req.Logs())
	}
	if err == nil {
		err = b.receive(r.Context(), names)
	}
	if err != nil {
		code, ok := map[codes.Code]int{
			codes.Unavailable: 503, codes.InvalidArgument: 400, codes.Unauthenticated: 401, codes.ResourceExhausted: 429,
		}[status.Code(err)]
		if !ok {
			code = 500
		}
		w.WriteHeader(code)
	}
}
