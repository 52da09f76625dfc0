package metricsudp

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/reader"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/socket"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/stream"
)

// input has the sockets or the stream server of the endpoint: one Conn per reader.
type input struct {
	conns         []reader.Conn
	readBatchSize int           // maximum number of datagrams per Read; 0 for streams
	rest          time.Duration // rest of a reader after a Read of fewer datagrams
	close         func() error

	addr      net.Addr // first bound address
	addresses []string // all bound addresses
	skipped   []string // see socket.Listeners
}

// openInput binds the endpoint.
func (r *udpReceiver) openInput(ctx context.Context) (in *input, err error) {
	if r.cfg.isStream() {
		in, err = r.openStream(ctx)
	} else {
		in, err = r.openSockets(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("endpoint: %w", err)
	}
	return in, nil
}

func (r *udpReceiver) openSockets(ctx context.Context) (*input, error) {
	group, err := socket.Open(ctx, r.socketOptions())
	if err != nil {
		return nil, err
	}
	in := &input{close: group.Close, addr: group.Addr(), addresses: group.Addresses(), skipped: group.Skipped}
	for _, conn := range group.Conns {
		in.conns = append(in.conns, conn)
	}
	in.readBatchSize = group.Conns[0].ReadBatchSize()
	in.rest = rest(r.report.effectiveBuffer(group.Conns, r.cfg.SocketBufferSize))
	return in, nil
}

func (r *udpReceiver) openStream(ctx context.Context) (*input, error) {
	secure, err := r.cfg.tlsConfig(ctx)
	if err != nil {
		return nil, err
	}
	listeners, err := socket.Listen(ctx, r.socketOptions())
	if err != nil {
		return nil, err
	}
	maxConnections := r.cfg.maxConnections()
	server := stream.Serve(stream.Options{
		Listeners: listeners, Feeds: r.cfg.readers(),
		Framing: r.cfg.framing(), MaxBytes: r.cfg.MaxDatagramSize,
		MaxConnections: maxConnections, IdleTimeout: r.cfg.idleTimeout(), TLS: secure,
		Allows: func(source netip.Addr) bool { return reader.Allows(r.allowed, source) },
		OnEnd:  r.report.connectionEnded, OnWait: func() { r.report.connectionWaited(maxConnections) }, OnError: r.report.socketError,
	})
	r.report.openConnections = server.Open
	in := &input{close: server.Close, addr: listeners.All[0].Addr(), addresses: listeners.Addresses(), skipped: listeners.Skipped}
	for _, feed := range server.Feeds() {
		in.conns = append(in.conns, feed)
	}
	return in, nil
}

func (r *udpReceiver) socketOptions() socket.Options {
	s := r.cfg.socketOptions()
	s.Resolve = r.resolve
	return s
}
