//go:build linux

package bench

import (
	"log/slog"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/statsd_exporter/pkg/event"
	"github.com/prometheus/statsd_exporter/pkg/exporter"
	"github.com/prometheus/statsd_exporter/pkg/line"
	"github.com/prometheus/statsd_exporter/pkg/listener"
	"github.com/prometheus/statsd_exporter/pkg/mapper"
	"github.com/prometheus/statsd_exporter/pkg/mappercache/lru"

	"github.com/otelcol-custom/otelcol-custom/internal/load"
)

// Defaults of statsd_exporter's flags.
const (
	exporterPackets       = 10_000
	exporterEvents        = 10_000
	exporterFlushAt       = 1000
	exporterFlushInterval = 200 * time.Millisecond
	exporterCache         = 1000
)

// exporterMapping makes timers and distributions native histograms with as many buckets as those of the other contenders. The
// default, summaries with three quantiles, cannot be added up.
const exporterMapping = `
defaults:
  observer_type: histogram
  histogram_options:
    native_histogram_bucket_factor: 1.1
    native_histogram_max_buckets: 160
`

// exported is statsd_exporter, put together as in its main, without the HTTP server. Its registry is gathered once, at the
// end.
type exported struct {
	conn     net.PacketConn
	registry *prometheus.Registry
	events   *prometheus.CounterVec
}

func startExporter(j job) (subject, error) {
	var (
		own   = prometheus.NewRegistry() // for the exporter's own metrics, which are not gathered
		named = func(name string) prometheus.Counter {
			return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: name})
		}
		labelled = func(name string, labels ...string) *prometheus.CounterVec {
			return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: name}, labels)
		}
		x       = &exported{registry: prometheus.NewRegistry(), events: labelled("events", "type")}
		logger  = slog.New(slog.DiscardHandler)
		flushed = named("flushed")
		metrics = prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "metrics", Help: "metrics"}, []string{"type"})
	)
	mapping := &mapper.MetricMapper{Registerer: own, Logger: logger}
	cache, err := lru.NewMetricMapperLRUCache(own, exporterCache)
	if err != nil {
		return nil, err
	}
	mapping.UseCache(cache)
	if err := mapping.InitFromYAMLString(exporterMapping); err != nil {
		return nil, err
	}
	parser := line.NewParser()
	parser.EnableDogstatsdParsing()
	parser.EnableInfluxdbParsing()
	parser.EnableLibratoParsing()
	parser.EnableSignalFXParsing()

	events := make(chan event.Events, exporterEvents)
	queue := event.NewEventQueue(events, exporterFlushAt, exporterFlushInterval, flushed)
	conn, err := net.ListenPacket(j.Network, j.Endpoint)
	if err != nil {
		return nil, err
	}
	x.conn = conn
	var (
		sampleErrors = *labelled("sample_errors", "reason")
		packets      = named("packets")
		lines        = named("lines")
		samples      = named("samples")
		tagErrors    = named("tag_errors")
		tags         = named("tags")
		listen       func()
	)
	switch conn := conn.(type) {
	case *net.UDPConn:
		if j.Buffer != defaultBuffer() {
			if err := conn.SetReadBuffer(j.Buffer / 2); err != nil { // the kernel doubles it
				return nil, err
			}
		}
		listen = (&listener.StatsDUDPListener{
			Conn: conn, EventHandler: queue, Logger: logger, LineParser: parser,
			UDPPackets: packets, UDPPacketDrops: named("packet_drops"), LinesReceived: lines, EventsFlushed: flushed,
			SampleErrors: sampleErrors, SamplesReceived: samples, TagErrors: tagErrors, TagsReceived: tags,
			UdpPacketQueue: make(chan []byte, exporterPackets),
		}).Listen
	case *net.UnixConn:
		listen = (&listener.StatsDUnixgramListener{
			Conn: conn, EventHandler: queue, Logger: logger, LineParser: parser,
			UnixgramPackets: packets, LinesReceived: lines, EventsFlushed: flushed,
			SampleErrors: sampleErrors, SamplesReceived: samples, TagErrors: tagErrors, TagsReceived: tags,
		}).Listen
	}
	output := exporter.NewExporter(x.registry, mapping, logger,
		labelled("actions", "action"), named("unmapped"), labelled("errors", "reason"), x.events,
		labelled("conflicts", "type", "metric_name"), metrics)
	go listen() // the end of the process ends both goroutines, as only the listener can be stopped
	go output.Listen(events)
	return x, nil
}

// handled returns the number of events in the registry, which is one per line.
func (x *exported) handled() (n float64) {
	for _, kind := range []string{"counter", "gauge", "observer"} {
		var m dto.Metric
		if x.events.WithLabelValues(kind).Write(&m) == nil {
			n += m.GetCounter().GetValue()
		}
	}
	return n
}

func (x *exported) complete(sent load.Ledger) bool { return x.handled() >= float64(sent.Lines) }

func (x *exported) lost(sent load.Ledger) (float64, error) {
	handled := x.handled()
	families, err := x.registry.Gather()
	if err != nil {
		return 0, err
	}
	var out float64
	for _, f := range families {
		for _, m := range f.GetMetric() {
			out += m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return max(lostShare(float64(sent.Lines), handled), lostShare(samples(sent), out)), nil
}

func (x *exported) stop() error { return x.conn.Close() }
