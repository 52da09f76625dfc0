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

// inlet is where lines come in: a Conn for each reader.
type inlet struct {
	conns []reader.Conn
	batch int           // the most datagrams that a Conn reads at once, or 0
	rest  time.Duration // of a reader after fewer
	close func() error

	addr      net.Addr // the first that is bound
	addresses []string // all
	skipped   []string // see socket.Listeners
}

// openInlet binds the endpoint.
func (r *udpReceiver) openInlet(ctx context.Context) (in *inlet, err error) {
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

func (r *udpReceiver) openSockets(ctx context.Context) (*inlet, error) {
	group, err := socket.Open(ctx, r.socketSettings())
	if err != nil {
		return nil, err
	}
	in := &inlet{close: group.Close, addr: group.Addr(), addresses: group.Addresses(), skipped: group.Skipped}
	for _, conn := range group.Conns {
		in.conns = append(in.conns, conn)
	}
	in.batch = group.Conns[0].Batch()
	in.rest = rest(r.report.effectiveBuffer(group.Conns, r.cfg.SocketBufferSize))
	return in, nil
}

func (r *udpReceiver) openStream(ctx context.Context) (*inlet, error) {
	secure, err := r.cfg.tlsConfig(ctx)
	if err != nil {
		return nil, err
	}
	listeners, err := socket.Listen(ctx, r.socketSettings())
	if err != nil {
		return nil, err
	}
	places := r.cfg.maxConnections()
	server := stream.Serve(stream.Settings{
		Listeners: listeners, Feeds: r.cfg.readers(),
		Framing: r.cfg.framing(), MaxBytes: r.cfg.MaxDatagramSize,
		MaxConnections: places, IdleTimeout: r.cfg.idleTimeout(), TLS: secure,
		Allows: func(source netip.Addr) bool { return reader.Allows(r.allowed, source) },
		Ended:  r.report.connectionEnded, Waited: func() { r.report.connectionWaited(places) }, Failed: r.report.socketError,
	})
	r.report.openConnections = server.Open
	in := &inlet{close: server.Close, addr: listeners.All[0].Addr(), addresses: listeners.Addresses(), skipped: listeners.Skipped}
	for _, feed := range server.Feeds() {
		in.conns = append(in.conns, feed)
	}
	return in, nil
}

func (r *udpReceiver) socketSettings() socket.Settings {
	s := r.cfg.socketSettings()
	s.Resolve = r.resolve
	return s
}
