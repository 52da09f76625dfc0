package metricsudp

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver"

	"github.com/otelcol-custom/otelcol-custom/internal/harness"
	"github.com/otelcol-custom/otelcol-custom/internal/shutdown"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/event"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/flush"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/metadata"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/socket"
)

// both is a receiver with pipelines of both signals. Either pipeline may be nil.
type both struct {
	metrics   receiver.Metrics
	logs      receiver.Logs
	telemetry *componenttest.Telemetry
	client    net.Conn
}

func startBoth(t *testing.T, metrics consumer.Metrics, logs consumer.Logs, change func(*Config)) *both {
	t.Helper()
	cfg := createDefaultConfig().(*Config)
	cfg.Endpoint, cfg.Readers = "127.0.0.1:0", 1
	if change != nil {
		change(cfg)
	}
	b := &both{telemetry: componenttest.NewTelemetry()}
	t.Cleanup(func() { assert.NoError(t, b.telemetry.Shutdown(context.Background())) })
	set := nopSettings()
	set.TelemetrySettings = b.telemetry.NewTelemetrySettings()
	factory := NewFactory()
	var all []receiver.Metrics // of either signal
	var err error
	if metrics != nil {
		b.metrics, err = factory.CreateMetrics(context.Background(), set, cfg, metrics)
		require.NoError(t, err)
		all = append(all, b.metrics)
	}
	if logs != nil {
		b.logs, err = factory.CreateLogs(context.Background(), set, cfg, logs)
		require.NoError(t, err)
		all = append(all, b.logs)
	}
	for _, r := range all {
		require.NoError(t, r.Start(context.Background(), componenttest.NewNopHost()))
	}
	b.client = dial(t, all[0].(*instance).addr())
	return b
}

func (b *both) send(t *testing.T, datagram string) {
	t.Helper()
	_, err := b.client.Write([]byte(datagram))
	require.NoError(t, err)
}

func (b *both) standard(t *testing.T, name string) int64 {
	t.Helper()
	return harness.Value(t, b.telemetry.Reader, "otelcol_receiver_"+name)
}

// One socket serves both signals, and the first Shutdown flushes both.
func TestMetricsAndEvents(t *testing.T) {
	metrics, logs := new(consumertest.MetricsSink), new(consumertest.LogsSink)
	b := startBoth(t, metrics, logs, func(c *Config) { c.ResourceAttributes = map[string]any{"service.name": "edge"} })
	b.send(t, "hits:1|c\n_e{5,4}:title|text|h:web-1|#shop:berlin\nhits:2|c\n_sc|db|2|m:down")
	require.NoError(t, b.logs.Shutdown(context.Background()))
	require.NoError(t, b.metrics.Shutdown(context.Background()))

	assert.Equal(t, int64(3), findMetric(t, metrics.AllMetrics(), "hits").Sum().DataPoints().At(0).IntValue())
	var bodies []string
	for _, l := range logs.AllLogs() {
		for _, r := range l.ResourceLogs().All() {
			name, _ := r.Resource().Attributes().Get("service.name")
			assert.Equal(t, "edge", name.Str())
			assert.Equal(t, metadata.ScopeName, r.ScopeLogs().At(0).Scope().Name())
			for _, record := range r.ScopeLogs().At(0).LogRecords().All() {
				bodies = append(bodies, record.Body().Str())
			}
		}
	}
	assert.ElementsMatch(t, []string{"text", "down"}, bodies)
	assert.Equal(t, map[string]int64{"counter": 2, "event": 1, "service_check": 1}, countedIn(t, b.telemetry, "lines", "type"))
	assert.Equal(t, int64(2), b.standard(t, "accepted_log_records"))
	assert.Equal(t, int64(1), b.standard(t, "accepted_metric_points"))
	assert.Zero(t, sumOf(countedIn(t, b.telemetry, "dropped_events", "")))
}

// Lines of a signal without a pipeline are only counted.
func TestOneSignalAlone(t *testing.T) {
	logs := new(consumertest.LogsSink)
	b := startBoth(t, nil, logs, nil)
	b.send(t, "hits:1|c\n_sc|db|0")
	require.NoError(t, b.logs.Shutdown(context.Background()))
	assert.Equal(t, 1, logs.LogRecordCount())
	assert.Equal(t, map[string]int64{"counter": 1, "service_check": 1}, countedIn(t, b.telemetry, "lines", "type"))

	metrics := new(consumertest.MetricsSink)
	b = startBoth(t, metrics, nil, nil)
	b.send(t, "hits:1|c\n_sc|db|0")
	require.NoError(t, b.metrics.Shutdown(context.Background()))
	assert.Equal(t, 1, metrics.DataPointCount())
	assert.Equal(t, map[string]int64{"counter": 1, "service_check": 1}, countedIn(t, b.telemetry, "lines", "type"))
}

// Each configuration has its own instance and its own socket.
func TestInstances(t *testing.T) {
	factory := NewFactory()
	one, other := factory.CreateDefaultConfig(), factory.CreateDefaultConfig()
	metrics, err := factory.CreateMetrics(context.Background(), nopSettings(), one, consumertest.NewNop())
	require.NoError(t, err)
	logs, err := factory.CreateLogs(context.Background(), nopSettings(), one, consumertest.NewNop())
	require.NoError(t, err)
	assert.Same(t, metrics, logs)
	second, err := factory.CreateLogs(context.Background(), nopSettings(), other, consumertest.NewNop())
	require.NoError(t, err)
	assert.NotSame(t, logs, second)
	require.NoError(t, metrics.Shutdown(context.Background()), "without a Start")
	again, err := factory.CreateMetrics(context.Background(), nopSettings(), one, consumertest.NewNop())
	require.NoError(t, err)
	assert.NotSame(t, metrics, again, "after a Shutdown")
}

// Two receivers on one port are an error, which both signals of the second one return.
func TestSecondInstanceOnAPort(t *testing.T) {
	b := startBoth(t, consumertest.NewNop(), consumertest.NewNop(), nil)
	defer func() { assert.NoError(t, b.metrics.Shutdown(context.Background())) }()
	cfg := createDefaultConfig().(*Config)
	cfg.Endpoint = b.client.RemoteAddr().String()
	factory := NewFactory()
	metrics, err := factory.CreateMetrics(context.Background(), nopSettings(), cfg, consumertest.NewNop())
	require.NoError(t, err)
	logs, err := factory.CreateLogs(context.Background(), nopSettings(), cfg, consumertest.NewNop())
	require.NoError(t, err)
	var inUse *socket.InUseError
	require.ErrorAs(t, metrics.Start(context.Background(), nil), &inUse)
	require.ErrorAs(t, logs.Start(context.Background(), nil), &inUse)
	require.NoError(t, metrics.Shutdown(context.Background()))
	require.NoError(t, logs.Shutdown(context.Background()))
}

// A logs pipeline that stalls does not delay metrics. When its queue is full, further events are counted as dropped.
func TestStalledLogsNeverStallMetrics(t *testing.T) {
	release, offered := make(chan struct{}), make(chan struct{}, 100)
	stalled, err := consumer.NewLogs(func(context.Context, plog.Logs) error {
		offered <- struct{}{}
		<-release
		return nil
	})
	require.NoError(t, err)
	arrived := make(chan struct{}, 1000)
	metrics, err := consumer.NewMetrics(func(context.Context, pmetric.Metrics) error {
		arrived <- struct{}{}
		return nil
	})
	require.NoError(t, err)
	b := startBoth(t, metrics, stalled, func(c *Config) {
		c.BufferSize, c.AggregationInterval, c.SeriesExpiry = 5, 10*time.Millisecond, time.Minute
	})
	b.send(t, "_sc|first|0")
	<-offered
	for range 20 {
		b.send(t, "_sc|db|0\nhits:1|c")
		<-arrived
	}
	for sumOf(countedIn(t, b.telemetry, "dropped_events", "")) < 15 {
		b.send(t, "hits:1|c")
		<-arrived
	}
	close(release)
	require.NoError(t, b.logs.Shutdown(context.Background()))
	assert.Equal(t, int64(15), sumOf(countedIn(t, b.telemetry, "dropped_events", "")))
	assert.Equal(t, int64(21), countedIn(t, b.telemetry, "lines", "type")["service_check"])
	assert.Equal(t, int64(6), b.standard(t, "accepted_log_records"))
}

// Both pipelines are shut down at the same time.
func TestShutdownOfBothStaysWithinItsBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		forever := make(chan struct{})
		metrics, err := consumer.NewMetrics(func(context.Context, pmetric.Metrics) error { <-forever; return nil })
		require.NoError(t, err)
		logs, err := consumer.NewLogs(func(context.Context, plog.Logs) error { <-forever; return nil })
		require.NoError(t, err)
		b := startBoth(t, metrics, logs, nil)
		b.send(t, "hits:1|c\n_sc|db|0")
		began := time.Now()
		err = b.metrics.Shutdown(context.Background())
		require.ErrorIs(t, err, flush.ErrNotHandedOn)
		require.ErrorIs(t, err, event.ErrNotHandedOn)
		assert.LessOrEqual(t, time.Since(began), shutdown.Receiver)
		close(forever)
	})
}
