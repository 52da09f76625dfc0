package metricsudp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receiverhelper"
	"go.uber.org/zap"

	"github.com/otelcol-custom/otelcol-custom/internal/gatewaystate"
	"github.com/otelcol-custom/otelcol-custom/internal/shutdown"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/flush"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/metadata"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/reader"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/series"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/socket"
)

type udpReceiver struct {
	cfg      *Config
	set      receiver.Settings
	next     consumer.Metrics // nil without a metrics pipeline
	nextLogs consumer.Logs    // nil without a logs pipeline

	obs    *receiverhelper.ObsReport
	report *reporter
	clock  flush.Clock

	resolve socket.Resolver // nil: the system's resolver
	allowed []netip.Prefix  // ranges of allowed sources; empty: all sources
	input   *input          // nil unless started
	flusher *flush.Flusher
	events  *events // nil without a logs pipeline
	running sync.WaitGroup

	endpoints  []string // the addresses of input
	unregister func()   // removes the receiver from the gateway page
}

var _ receiver.Metrics = (*udpReceiver)(nil)

func newReceiver(set receiver.Settings, cfg *Config, next consumer.Metrics) (*udpReceiver, error) {
	obs, err := receiverhelper.NewObsReport(receiverhelper.ObsReportSettings{
		ReceiverID: set.ID, Transport: cfg.Transport, ReceiverCreateSettings: set,
	})
	if err != nil {
		return nil, err
	}
	report, err := newReporter(set)
	if err != nil {
		return nil, err
	}
	return &udpReceiver{
		cfg: cfg, set: set, next: next, obs: obs, report: report,
		clock: flush.IntervalClock{Interval: cfg.AggregationInterval, Align: cfg.AlignInterval},
	}, nil
}

// Start binds the sockets and starts one reader per socket, a flusher and a sender.
func (r *udpReceiver) Start(ctx context.Context, host component.Host) error {
	builder, err := r.builder()
	if err != nil {
		return err
	}
	options, err := r.cfg.seriesOptions()
	if err != nil {
		return err
	}
	if r.allowed, err = r.cfg.allowed(); err != nil {
		return err
	}
	if r.input, err = r.openInput(ctx); err != nil {
		return err
	}
	if skipped := r.input.skipped; len(skipped) > 0 {
		r.set.Logger.Info("Not listening on addresses of endpoint that this host does not have", zap.Strings("addresses", skipped))
	}
	r.events = r.newEvents(builder.Resource, options.Origin)
	options.Events = r.events.add()
	options.Tables = len(r.input.conns)
	registry := series.NewRegistry(options)
	started := time.Now()
	received := func() int64 { return int64(time.Since(started)) }
	sources := make([]flush.Source, 0, len(r.input.conns))
	readers := make([]*reader.Reader, 0, len(r.input.conns))
	for _, conn := range r.input.conns {
		rd := reader.New(reader.Options{
			Conn: conn, Table: series.NewTable(registry), Allowed: r.allowed,
			Now:           received,
			OnError:       r.report.socketError,
			ReadBatchSize: r.input.readBatchSize, Rest: r.input.rest,
		})
		sources = append(sources, rd)
		readers = append(readers, rd)
	}
	reader.ConnectReaders(readers)
	for _, rd := range readers {
		r.running.Go(rd.Run)
	}
	r.flusher = flush.New(flush.Options{
		Registry: registry, Sources: sources, Builder: builder, Clock: r.clock, Received: received,
		OnReport:       r.report.flush,
		OnSourcesEnded: r.closeInput,
		Sender: flush.NewSender(flush.SenderOptions{
			Consume:   r.consume,
			Retryable: func(err error) bool { return !consumererror.IsPermanent(err) },
			Mutates:   r.next != nil && r.next.Capabilities().MutatesData,
			MaxPause:  r.cfg.AggregationInterval,
		}),
	})
	r.events.start(r.report)
	r.running.Go(r.flusher.Run)
	r.endpoints = r.input.addresses
	r.unregister = gatewaystate.Find(host.GetExtensions()).Register(r)
	r.set.Logger.Info("Receiving metrics",
		zap.Strings("endpoints", r.input.addresses), zap.Int("readers", len(r.input.conns)))
	return nil
}

// closeInput closes the endpoint. From then on the kernel answers senders that the port or the socket is closed.
func (r *udpReceiver) closeInput() error {
	r.events.close()
	return r.input.close()
}

// shutdownGrace is the time that the pipeline has to accept the last interval: the time of this stage of the shutdown, minus the
// time that a hanging consumer has to return.
const shutdownGrace = shutdown.Receiver - flush.AbandonAfter

// Shutdown reads the datagrams that are in the sockets, hands on the last interval and the events, and waits for all goroutines.
// It may be called without Start, and several times.
func (r *udpReceiver) Shutdown(ctx context.Context) error {
	if r.input == nil {
		return nil
	}
	r.unregister()
	ctx, cancel := context.WithTimeout(ctx, shutdownGrace)
	defer cancel()
	var sending sync.WaitGroup
	var logsErr error
	sending.Go(func() { logsErr = r.events.wait(ctx) })
	err := r.flusher.Shutdown(ctx)
	sending.Wait()
	err = errors.Join(err, logsErr)
	r.running.Wait()
	r.input = nil
	r.report.shutdown()
	return err
}

// consume offers a batch to the pipeline. It counts a batch as refused only at its first attempt, and as accepted when the pipeline
// accepts it.
func (r *udpReceiver) consume(ctx context.Context, b flush.Batch, attempt int) error {
	if r.next == nil {
		return nil
	}
	points := b.Metrics.DataPointCount() // must be counted before the consumer owns the batch
	ctx = r.obs.StartMetricsOp(clientContext(ctx, b.Origin))
	err := r.next.ConsumeMetrics(ctx, b.Metrics)
	if err != nil {
		r.report.refused("points", points, err)
		if attempt > 1 {
			points = 0
		}
	}
	r.obs.EndMetricsOp(ctx, metadata.Type.String(), points, err)
	return err
}

func (r *udpReceiver) addr() net.Addr { return r.input.addr }

// builder returns a builder with the properties that all batches share.
func (r *udpReceiver) builder() (*flush.Builder, error) {
	resource := pcommon.NewResource()
	if err := resource.Attributes().FromRaw(r.cfg.ResourceAttributes); err != nil {
		return nil, fmt.Errorf("resource_attributes: %w", err)
	}
	cumulative := r.cfg.Temporality == temporalityCumulative
	if _, set := resource.Attributes().Get(instanceIDKey); cumulative && !set {
		// Cumulative series of two receivers must not have the same identity.
		if host, err := os.Hostname(); err == nil {
			resource.Attributes().PutStr(instanceIDKey, host)
		}
	}
	return &flush.Builder{
		Resource:     resource,
		ScopeName:    metadata.ScopeName,
		ScopeVersion: r.set.BuildInfo.Version,
		Cumulative:   cumulative,
		IntCounters:  r.cfg.CounterType != counterFloat,
		ResendGauges: r.cfg.Gauges.Resend,
		TimerUnit:    r.cfg.timerUnit(),
	}, nil
}

const instanceIDKey = "service.instance.id"
