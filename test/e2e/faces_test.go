package e2e

import (
	"compress/gzip"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/prometheus/prometheus/prompb"
	"github.com/prometheus/prometheus/util/compression"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// web lets a backend answer over HTTP: OTLP in protobuf, and Prometheus remote write.
type web struct {
	t *testing.T
	b *backend
}

var errMalformed = status.Error(codes.InvalidArgument, "malformed")

// startWeb starts the HTTP server of a backend.
func startWeb(t *testing.T, b *backend, address string) {
	listener, err := net.Listen("tcp", address)
	require.NoError(t, err)
	server := &http.Server{Handler: web{t, b}} //nolint:gosec // its only client is the gateway
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener) // ends with Close
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
	})
}

func (w web) ServeHTTP(answer http.ResponseWriter, r *http.Request) {
	body, err := read(r)
	if err != nil {
		panic(http.ErrAbortHandler) // the gateway has given up
	}
	switch err := w.accept(r, body); status.Code(err) {
	case codes.OK:
		answer.WriteHeader(http.StatusOK)
	case codes.Unavailable:
		answer.WriteHeader(http.StatusServiceUnavailable)
	case codes.InvalidArgument: // so the gateway does not try again, and the test misses it
		answer.WriteHeader(http.StatusBadRequest)
	default:
		panic(http.ErrAbortHandler) // its caller has given up in a hang, and hears nothing
	}
}

// read returns a request's body, decompressed.
func read(r *http.Request) ([]byte, error) {
	if r.Header.Get("Content-Encoding") != "gzip" {
		return io.ReadAll(r.Body)
	}
	unpacked, err := gzip.NewReader(r.Body)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(unpacked)
}

func (w web) accept(r *http.Request, body []byte) error {
	switch r.URL.Path {
	case "/v1/metrics":
		request := pmetricotlp.NewExportRequest()
		if err := request.UnmarshalProto(body); err != nil {
			return errMalformed
		}
		_, err := w.b.Export(r.Context(), request)
		return err
	case "/v1/logs":
		request := plogotlp.NewExportRequest()
		if err := request.UnmarshalProto(body); err != nil {
			return errMalformed
		}
		_, err := (&logBackend{backend: w.b}).Export(r.Context(), request)
		return err
	case "/v1/traces":
		request := ptraceotlp.NewExportRequest()
		if err := request.UnmarshalProto(body); err != nil {
			return errMalformed
		}
		_, err := (&traceBackend{backend: w.b}).Export(r.Context(), request)
		return err
	case "/api/v1/write":
		if err := w.b.admit(r.Context()); err != nil {
			return err
		}
		w.b.mu.Lock()
		defer w.b.mu.Unlock()
		for _, id := range writtenIDs(w.t, body) {
			w.b.ids[id]++
		}
		return nil
	}
	assert.Fail(w.t, "nobody should ask for "+r.URL.Path)
	return nil
}

// writtenIDs returns the labels "id" of the series in a remote write request.
func writtenIDs(t *testing.T, body []byte) (ids []string) {
	raw, err := compression.Decode(compression.Snappy, body, nil)
	if !assert.NoError(t, err) {
		return nil
	}
	var request prompb.WriteRequest
	assert.NoError(t, request.Unmarshal(raw))
	for _, series := range request.Timeseries {
		for _, l := range series.Labels {
			if l.Name == "id" {
				ids = append(ids, l.Value)
			}
		}
	}
	return ids
}
