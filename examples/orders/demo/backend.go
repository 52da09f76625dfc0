package main

import (
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
)

// backend counts what the gateway exports over OTLP/HTTP.
type backend struct {
	server *http.Server

	points, spans, records atomic.Int64
}

func startBackend(address string) (*backend, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	b := &backend{}
	b.server = &http.Server{Handler: b, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = b.server.Serve(listener) }() // ends with stop
	return b, nil
}

func (b *backend) stop() { _ = b.server.Close() }

// ServeHTTP accepts a request in the gateway's encoding, gzip.
func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := b.count(r); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
}

func (b *backend) count(r *http.Request) error {
	unpacked, err := gzip.NewReader(r.Body)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(unpacked)
	if err != nil {
		return err
	}
	switch r.URL.Path {
	case "/v1/metrics":
		request := pmetricotlp.NewExportRequest()
		err = request.UnmarshalProto(body)
		b.points.Add(int64(request.Metrics().DataPointCount()))
	case "/v1/logs":
		request := plogotlp.NewExportRequest()
		err = request.UnmarshalProto(body)
		b.records.Add(int64(request.Logs().LogRecordCount()))
	case "/v1/traces":
		request := ptraceotlp.NewExportRequest()
		err = request.UnmarshalProto(body)
		b.spans.Add(int64(request.Traces().SpanCount()))
	default:
		err = fmt.Errorf("no such path: %s", r.URL.Path)
	}
	return err
}
