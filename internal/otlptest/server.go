// Package otlptest is an OTLP server for tests. One port of the loopback interface serves metrics, logs and traces over gRPC and
// over HTTP.
package otlptest

import (
	"compress/gzip"
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	_ "google.golang.org/grpc/encoding/gzip" // clients compress by default
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// Answer decides the answer to a request: nil accepts it, a gRPC status is the error. It is called by the requests' goroutines.
type Answer func(context.Context, Request) error

// Options are what a server has beside its answers. The zero value is a server on a free port.
type Options struct {
	// Address is where the server listens, as host:port. Default: a free port of the loopback interface.
	Address string
	// TLS is the configuration of a server that speaks TLS only.
	TLS *tls.Config
	// Paths are handlers of other protocols, by path.
	Paths map[string]http.Handler
}

// Server is an OTLP server. It ends with the test.
type Server struct {
	// Addr is host:port, for both protocols.
	Addr string

	answer Answer
	stop   func()
}

// Start starts a server.
func Start(t testing.TB, answer Answer, o Options) *Server {
	t.Helper()
	if o.Address == "" {
		o.Address = "127.0.0.1:0"
	}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", o.Address)
	require.NoError(t, err)
	s := &Server{Addr: listener.Addr().String(), answer: answer}
	rpc := grpc.NewServer()
	pmetricotlp.RegisterGRPCServer(rpc, &metricServer{s: s})
	plogotlp.RegisterGRPCServer(rpc, &logServer{s: s})
	ptraceotlp.RegisterGRPCServer(rpc, &traceServer{s: s})
	server := &http.Server{ //nolint:gosec // its only clients are the test's
		Handler: s.handler(rpc, o.Paths), TLSConfig: o.TLS, Protocols: new(http.Protocols), ErrorLog: log.New(io.Discard, "", 0),
	}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetHTTP2(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if o.TLS == nil {
			_ = server.Serve(listener) // ends with Close
		} else {
			_ = server.ServeTLS(listener, "", "") // ends with Close
		}
	}()
	s.stop = sync.OnceFunc(func() {
		_ = server.Close() // cuts the connections of requests under way
		<-ended
		rpc.Stop()
	})
	t.Cleanup(s.stop)
	return s
}

// Stop closes the port and ends the requests under way.
func (s *Server) Stop() { s.stop() }

// URL is the base of the server's addresses over HTTP without TLS.
func (s *Server) URL() string { return "http://" + s.Addr }

func (s *Server) handler(rpc http.Handler, paths map[string]http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/metrics", s.serve(func(body []byte, to *Request) error {
		request := pmetricotlp.NewExportRequest()
		err := request.UnmarshalProto(body)
		to.Metrics = request.Metrics()
		return err
	}))
	mux.HandleFunc("POST /v1/logs", s.serve(func(body []byte, to *Request) error {
		request := plogotlp.NewExportRequest()
		err := request.UnmarshalProto(body)
		to.Logs = request.Logs()
		return err
	}))
	mux.HandleFunc("POST /v1/traces", s.serve(func(body []byte, to *Request) error {
		request := ptraceotlp.NewExportRequest()
		err := request.UnmarshalProto(body)
		to.Traces = request.Traces()
		return err
	}))
	for path, h := range paths {
		mux.Handle(path, h)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
			rpc.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// serve returns the HTTP handler of a signal.
func (s *Server) serve(decode func(body []byte, to *Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := Body(r)
		if err != nil {
			panic(http.ErrAbortHandler) // the client has given up
		}
		request := newRequest(r.Header)
		if decode(body, &request) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		WriteStatus(w, r, s.answer(r.Context(), request))
	}
}

// Body returns a request's body, decompressed.
func Body(r *http.Request) ([]byte, error) {
	if r.Header.Get("Content-Encoding") != "gzip" {
		return io.ReadAll(r.Body)
	}
	content, err := gzip.NewReader(r.Body)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(content)
}

// WriteStatus writes the HTTP status of an answer. If the client has given up, it closes the connection instead.
func WriteStatus(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		panic(http.ErrAbortHandler)
	}
	code, ok := map[codes.Code]int{
		codes.OK: http.StatusOK, codes.InvalidArgument: http.StatusBadRequest, codes.Unauthenticated: http.StatusUnauthorized,
		codes.ResourceExhausted: http.StatusTooManyRequests, codes.Unavailable: http.StatusServiceUnavailable,
	}[status.Code(err)]
	if !ok {
		code = http.StatusInternalServerError
	}
	w.WriteHeader(code)
}

type (
	metricServer struct {
		pmetricotlp.UnimplementedGRPCServer
		s *Server
	}
	logServer struct {
		plogotlp.UnimplementedGRPCServer
		s *Server
	}
	traceServer struct {
		ptraceotlp.UnimplementedGRPCServer
		s *Server
	}
)

func (m *metricServer) Export(ctx context.Context, r pmetricotlp.ExportRequest) (pmetricotlp.ExportResponse, error) {
	request := newRequest(headers(ctx))
	request.Metrics = r.Metrics()
	return pmetricotlp.NewExportResponse(), m.s.answer(ctx, request)
}

func (l *logServer) Export(ctx context.Context, r plogotlp.ExportRequest) (plogotlp.ExportResponse, error) {
	request := newRequest(headers(ctx))
	request.Logs = r.Logs()
	return plogotlp.NewExportResponse(), l.s.answer(ctx, request)
}

func (tr *traceServer) Export(ctx context.Context, r ptraceotlp.ExportRequest) (ptraceotlp.ExportResponse, error) {
	request := newRequest(headers(ctx))
	request.Traces = r.Traces()
	return ptraceotlp.NewExportResponse(), tr.s.answer(ctx, request)
}

func headers(ctx context.Context) http.Header {
	h := http.Header{}
	incoming, _ := metadata.FromIncomingContext(ctx)
	for name, values := range incoming {
		h[http.CanonicalHeaderKey(name)] = values
	}
	return h
}
