package gatewaypage

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/extension/extensioncapabilities"
	"go.uber.org/zap"
	"golang.org/x/net/netutil"

	"github.com/otelcol-custom/otelcol-custom/extension/gatewaypage/internal/report"
	"github.com/otelcol-custom/otelcol-custom/extension/gatewaypage/internal/selfmetrics"
	"github.com/otelcol-custom/otelcol-custom/internal/gatewaystate"
)

// page is the extension. Components register with it; see gatewaystate.Registry.
type page struct {
	*gatewaystate.Sources

	cfg      *Config
	set      extension.Settings
	observer *report.Observer
	reader   *selfmetrics.Reader // nil: the gateway's own metrics are not read
	config   configuration

	answer atomic.Pointer[answer] // to the last reading
	ready  atomic.Bool            // all pipelines have started and none is being stopped

	url     string
	probes  string // their address, empty without
	servers []*http.Server
	stop    context.CancelFunc // nil before the start
	running sync.WaitGroup
}

var (
	_ gatewaystate.Registry                       = (*page)(nil)
	_ extensioncapabilities.PipelineWatcher       = (*page)(nil)
	_ extensioncapabilities.ConfigSnapshotWatcher = (*page)(nil)
	_ extensioncapabilities.Dependent             = (*page)(nil)
)

// origin is when a page begins.
type origin struct {
	now          func() time.Time
	processStart time.Time
	reloaded     bool // the process had another configuration before
}

func newPage(set extension.Settings, cfg *Config, from origin) (*page, error) {
	name := cfg.Instance
	if name == "" {
		var err error
		if name, err = os.Hostname(); err != nil {
			return nil, fmt.Errorf("instance: must be set on a host without a name: %w", err)
		}
	}
	p := &page{
		Sources: gatewaystate.NewSources(from.now), cfg: cfg, set: set,
		observer: report.New(report.Options{
			Name: name, Version: set.BuildInfo.Version, ProcessStart: from.processStart, Reloaded: from.reloaded, Peers: cfg.Peers,
			Examples: report.Examples(cfg.Examples), CostPer1000: cfg.CostPer1000Series, SelfMetrics: cfg.SelfMetrics != "", Now: from.now,
		}),
	}
	if cfg.SelfMetrics != "" {
		p.reader = selfmetrics.NewReader(cfg.SelfMetrics)
	}
	return p, nil
}

// KeepsExamples implements gatewaystate.Registry.
func (p *page) KeepsExamples() bool { return p.cfg.Examples != string(report.ExamplesOff) }

// Dependencies implements extensioncapabilities.Dependent: the authenticator starts first.
func (p *page) Dependencies() []component.ID {
	if !p.cfg.Auth.HasValue() {
		return nil
	}
	return []component.ID{p.cfg.Auth.Get().Config.AuthenticatorID}
}

// maxHeaderBytes bounds what a request may begin with. Go's default of 1 MiB for each connection would be 64 MiB.
const maxHeaderBytes = 16 << 10

// Start listens, and begins to read the components once per second.
func (p *page) Start(ctx context.Context, host component.Host) error {
	handler, err := p.handler(ctx, host)
	if err != nil {
		return err
	}
	config := p.cfg.ServerConfig // without what applies to /api/ alone
	config.Auth = configoptional.None[confighttp.AuthConfig]()
	config.CompressionAlgorithms = []string{} // no request has a body
	server, err := config.ToServer(ctx, host.GetExtensions(), p.set.TelemetrySettings, handler)
	if err != nil {
		return err
	}
	server.MaxHeaderBytes = maxHeaderBytes
	listener, err := config.ToListener(ctx)
	if err != nil {
		return fmt.Errorf("endpoint: %w", err)
	}
	p.url = pageURL(p.cfg.NetAddr.Endpoint, listener.Addr(), config.TLS.HasValue())
	listeners := []net.Listener{netutil.LimitListener(listener, p.cfg.MaxConnections)}
	p.servers = []*http.Server{server}
	if p.cfg.Probes.Endpoint != "" {
		probes, err := new(net.ListenConfig).Listen(ctx, "tcp", p.cfg.Probes.Endpoint)
		if err != nil {
			return errors.Join(fmt.Errorf("probes::endpoint: %w", err), listener.Close())
		}
		p.probes = probes.Addr().String()
		listeners = append(listeners, netutil.LimitListener(probes, maxProbes))
		p.servers = append(p.servers, p.probeServer())
	}
	var reading context.Context
	reading, p.stop = context.WithCancel(context.WithoutCancel(ctx))
	p.observe(reading)
	p.running.Go(func() { p.read(reading) })
	for i, l := range listeners {
		p.running.Go(func() {
			if err := p.servers[i].Serve(l); !errors.Is(err, http.ErrServerClosed) {
				p.set.Logger.Error("The gateway page is not served any more", zap.Error(err))
			}
		})
	}
	return nil
}

// pageURL is what to open. A name in the configuration is kept, the port is the real one.
func pageURL(endpoint string, addr net.Addr, tls bool) string {
	host, _, _ := net.SplitHostPort(endpoint) // Validate has done so
	_, port, _ := net.SplitHostPort(addr.String())
	if host == "" {
		host = "localhost"
	}
	scheme := "http"
	if tls {
		scheme = "https"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

// every is how often the components are read.
const every = time.Second

// read makes an answer per second until ctx ends.
func (p *page) read(ctx context.Context) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			p.observe(ctx)
		}
	}
}

// observe makes the answer to all viewers of the next second.
func (p *page) observe(ctx context.Context) {
	reading := &report.Reading{}
	if p.reader != nil {
		limited, cancel := context.WithTimeout(ctx, every)
		reading.Metrics, reading.MetricsErr = p.reader.Read(limited)
		cancel()
		if ctx.Err() != nil {
			return // the shutdown has cut it off
		}
	}
	reading.Snapshot = p.Snapshot()
	p.answer.Store(&answer{report: p.observer.Observe(reading), history: p.observer.History()})
}

// Ready implements extensioncapabilities.PipelineWatcher.
func (p *page) Ready() error {
	p.ready.Store(true)
	p.set.Logger.Info("Gateway page: " + p.url)
	return nil
}

// NotReady implements extensioncapabilities.PipelineWatcher.
func (p *page) NotReady() error {
	p.ready.Store(false)
	return nil
}

// shutdownGrace is how long the shutdown waits for answers under way.
const shutdownGrace = time.Second

// Shutdown waits for answers under way, for shutdownGrace at most. It may be called without Start, and again.
func (p *page) Shutdown(ctx context.Context) error {
	if p.stop == nil {
		return nil
	}
	p.stop()
	p.stop = nil
	ctx, cancel := context.WithTimeout(ctx, shutdownGrace)
	defer cancel()
	var errs []error
	for _, s := range p.servers {
		if s.Shutdown(ctx) != nil {
			errs = append(errs, s.Close()) // a viewer that reads slowly is cut off
		}
	}
	p.running.Wait()
	if p.reader != nil {
		p.reader.Close()
	}
	return errors.Join(errs...)
}
