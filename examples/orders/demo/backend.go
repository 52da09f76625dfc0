package main

import (
	"context"
	"net"
	"sync/atomic"

	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	_ "google.golang.org/grpc/encoding/gzip" // the gateway compresses
)

// backend counts what the gateway exports.
type backend struct {
	pmetricotlp.UnimplementedGRPCServer
	server *grpc.Server

	points, spans, records atomic.Int64
}

func startBackend(address string) (*backend, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	b := &backend{server: grpc.NewServer()}
	pmetricotlp.RegisterGRPCServer(b.server, b)
	plogotlp.RegisterGRPCServer(b.server, &logs{backend: b})
	ptraceotlp.RegisterGRPCServer(b.server, &traces{backend: b})
	go func() { _ = b.server.Serve(listener) }() // ends with stop
	return b, nil
}

func (b *backend) stop() { b.server.Stop() }

func (b *backend) Export(_ context.Context, request pmetricotlp.ExportRequest) (pmetricotlp.ExportResponse, error) {
	b.points.Add(int64(request.Metrics().DataPointCount()))
	return pmetricotlp.NewExportResponse(), nil
}

type logs struct {
	plogotlp.UnimplementedGRPCServer
	*backend
}

func (l *logs) Export(_ context.Context, request plogotlp.ExportRequest) (plogotlp.ExportResponse, error) {
	l.records.Add(int64(request.Logs().LogRecordCount()))
	return plogotlp.NewExportResponse(), nil
}

type traces struct {
	ptraceotlp.UnimplementedGRPCServer
	*backend
}

func (t *traces) Export(_ context.Context, request ptraceotlp.ExportRequest) (ptraceotlp.ExportResponse, error) {
	t.spans.Add(int64(request.Traces().SpanCount()))
	return ptraceotlp.NewExportResponse(), nil
}
