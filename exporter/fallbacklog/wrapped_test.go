package fallbacklog

import (
	"context"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/exporter/fileexporter"
	"github.com/open-telemetry/opentelemetry-collector-contrib/exporter/kafkaexporter"
	"github.com/open-telemetry/opentelemetry-collector-contrib/exporter/loadbalancingexporter"
	"github.com/open-telemetry/opentelemetry-collector-contrib/exporter/prometheusexporter"
	"github.com/open-telemetry/opentelemetry-collector-contrib/exporter/prometheusremotewriteexporter"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/debugexporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/exporter/otlpexporter"
	"go.opentelemetry.io/collector/exporter/otlphttpexporter"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

func parseSpec(t *testing.T, m map[string]any) wrappedSpec {
	t.Helper()
	s, err := parseWrapped(confmap.NewFromStringMap(m))
	require.NoError(t, err)
	return s
}

// For every exporter, queues and retries are turned off and the timeout is this exporter's.
func TestConfigTakesOverQueuesAndRetries(t *testing.T) {
	s := parseSpec(t, map[string]any{"otlp_grpc": map[string]any{"endpoint": "x:1", "timeout": "1s"}})
	cfg, err := s.Config(otlpexporter.NewFactory(), 7*time.Second)
	require.NoError(t, err)
	g := cfg.(*otlpexporter.Config)
	assert.False(t, g.QueueConfig.HasValue())
	assert.False(t, g.RetryConfig.Enabled)
	assert.Equal(t, 7*time.Second, g.TimeoutConfig.Timeout)
	assert.Equal(t, "x:1", g.ClientConfig.Endpoint)

	s = parseSpec(t, map[string]any{"otlp_http": map[string]any{"endpoint": "http://x:1"}})
	cfg, err = s.Config(otlphttpexporter.NewFactory(), 7*time.Second)
	require.NoError(t, err)
	h := cfg.(*otlphttpexporter.Config)
	assert.False(t, h.QueueConfig.HasValue())
	assert.False(t, h.RetryConfig.Enabled)
	assert.Equal(t, 7*time.Second, h.ClientConfig.Timeout)

	s = parseSpec(t, map[string]any{"prometheusremotewrite": map[string]any{"endpoint": "http://x:1"}})
	cfg, err = s.Config(prometheusremotewriteexporter.NewFactory(), 7*time.Second)
	require.NoError(t, err)
	p := cfg.(*prometheusremotewriteexporter.Config)
	assert.False(t, p.RemoteWriteQueue.Enabled)
	assert.False(t, p.BackOffConfig.Enabled)
	assert.False(t, p.WAL.HasValue())
	assert.Equal(t, 7*time.Second, p.TimeoutSettings.Timeout)
	assert.Equal(t, "http://x:1", p.HTTP.Endpoint)
	assert.Equal(t, 7*time.Second, p.HTTP.Timeout)

	s = parseSpec(t, map[string]any{"prometheus_remote_write": map[string]any{"http": map[string]any{"endpoint": "http://x:1"}}})
	cfg, err = s.Config(prometheusremotewriteexporter.NewFactory(), 7*time.Second)
	require.NoError(t, err)
	p = cfg.(*prometheusremotewriteexporter.Config)
	assert.Equal(t, "http://x:1", p.HTTP.Endpoint)
	assert.Equal(t, 7*time.Second, p.HTTP.Timeout)

	s = parseSpec(t, map[string]any{"loadbalancing": map[string]any{
		"protocol": map[string]any{"otlp": map[string]any{"tls": map[string]any{"insecure": true}}},
		"resolver": map[string]any{"static": map[string]any{"hostnames": []any{"a:1"}}},
	}})
	cfg, err = s.Config(loadbalancingexporter.NewFactory(), 7*time.Second)
	require.NoError(t, err)
	l := cfg.(*loadbalancingexporter.Config)
	assert.False(t, l.QueueSettings.HasValue())
	assert.False(t, l.BackOffConfig.Enabled)
	assert.False(t, l.Protocol.OTLP.QueueConfig.HasValue())
	assert.False(t, l.Protocol.OTLP.RetryConfig.Enabled)
	assert.Equal(t, 7*time.Second, l.Protocol.OTLP.TimeoutConfig.Timeout)
}

func TestConfigRefusesToQueue(t *testing.T) {
	for _, tc := range []struct {
		factory exporter.Factory
		conf    map[string]any
		want    string
	}{
		{otlpexporter.NewFactory(), map[string]any{"sending_queue": map[string]any{"enabled": true}}, "sending_queue: must be"},
		{prometheusremotewriteexporter.NewFactory(), map[string]any{"remote_write_queue": map[string]any{"enabled": true}}, "remote_write_queue: must be"},
		{prometheusremotewriteexporter.NewFactory(), map[string]any{"wal": map[string]any{"directory": "/x"}}, "wal: must be"},
		{loadbalancingexporter.NewFactory(), map[string]any{"protocol": map[string]any{"otlp": map[string]any{
			"sending_queue": map[string]any{"queue_size": 1},
		}}}, "protocol::otlp::sending_queue: must be"},
	} {
		_, err := parseSpec(t, map[string]any{tc.factory.Type().String(): tc.conf}).Config(tc.factory, time.Second)
		require.ErrorContains(t, err, tc.want)
	}
}

// These exporters of the distribution acknowledge data that the downstream has. The others acknowledge data in a buffer and
// start with a warning. A kafka exporter that waits for no broker is one of the others.
func TestWarnsOfExportersThatAcknowledgeFromMemory(t *testing.T) {
	for _, tc := range []struct {
		factory exporter.Factory
		conf    map[string]any
		waits   bool
	}{
		{otlpexporter.NewFactory(), nil, true},
		{otlphttpexporter.NewFactory(), nil, true},
		{prometheusremotewriteexporter.NewFactory(), nil, true},
		{loadbalancingexporter.NewFactory(), nil, true},
		{debugexporter.NewFactory(), nil, true},
		{kafkaexporter.NewFactory(), nil, true},
		{kafkaexporter.NewFactory(), map[string]any{"producer": map[string]any{"required_acks": 1}}, true},
		{kafkaexporter.NewFactory(), map[string]any{"producer": map[string]any{"required_acks": 0}}, false},
		{fileexporter.NewFactory(), nil, false},
		{prometheusexporter.NewFactory(), nil, false},
		{(&scripted{}).factory(), nil, false},
	} {
		spec := parseSpec(t, map[string]any{tc.factory.Type().String(): tc.conf})
		assert.Equal(t, tc.waits, spec.Synchronous(tc.factory), "%s %v", tc.factory.Type(), tc.conf)
	}
	assert.True(t, parseSpec(t, map[string]any{"prometheusremotewrite": nil}).Synchronous(prometheusremotewriteexporter.NewFactory()),
		"by the type's other name")

	for wrapped, warnings := range map[string]int{"scripted": 1, "otlp_http": 0} {
		core, seen := observer.New(zap.WarnLevel)
		f := NewFactory()
		set := exporterSettings(t, f)
		set.Logger = zap.New(core)
		cfg := loadConfig(t, testSettings(t.TempDir()), map[string]any{"exporter": map[string]any{wrapped: nil}})
		if wrapped == "otlp_http" {
			cfg = loadConfig(t, testSettings(t.TempDir()), httpTo(&backend{httpURL: "http://x:1"}))
		}
		e, err := f.CreateLogs(context.Background(), set, cfg)
		require.NoError(t, err)
		require.NoError(t, e.Start(context.Background(), newTestHost((&scripted{}).factory())))
		require.NoError(t, e.Shutdown(context.Background()))
		assert.Equal(t, warnings, seen.FilterMessageSnippet("not known to wait").Len(), wrapped)
	}
}

// Package answer notes the answers of every client of an exporter, but not of a server.
func TestAnswersAreNotedInEveryClient(t *testing.T) {
	for _, tc := range []struct {
		factory      exporter.Factory
		answersNoted bool
	}{
		{otlpexporter.NewFactory(), true},
		{otlphttpexporter.NewFactory(), true},
		{prometheusremotewriteexporter.NewFactory(), true},
		{loadbalancingexporter.NewFactory(), true},
		{kafkaexporter.NewFactory(), false},
		{prometheusexporter.NewFactory(), false},
		{fileexporter.NewFactory(), false},
		{debugexporter.NewFactory(), false},
	} {
		assert.Equal(t, tc.answersNoted, addAnswers(tc.factory.CreateDefaultConfig()), tc.factory.Type().String())
	}
}

type plainHost struct{ reported []componentstatus.Status }

func (*plainHost) GetExtensions() map[component.ID]component.Component { return nil }

func (h *plainHost) Report(e *componentstatus.Event) { h.reported = append(h.reported, e.Status()) }

func (*plainHost) GetFactory(kind component.Kind, t component.Type) component.Factory {
	if f := otlpexporter.NewFactory(); kind == component.KindExporter && t == f.Type() {
		return f
	}
	return nil
}

func TestHostForwards(t *testing.T) {
	inner := &plainHost{}
	h := wrappedHost{Host: inner}
	assert.NotNil(t, wrappedFactory(h, component.MustNewType("otlp_grpc")))
	assert.Nil(t, wrappedFactory(h, component.MustNewType("nosuch")))
	componentstatus.ReportStatus(h, componentstatus.NewEvent(componentstatus.StatusOK))
	assert.Equal(t, []componentstatus.Status{componentstatus.StatusOK}, inner.reported)

	plain := wrappedHost{Host: struct{ component.Host }{}}
	assert.Nil(t, wrappedFactory(plain.Host, component.MustNewType("otlp_grpc")))
	assert.Nil(t, plain.GetFactory(component.KindExporter, component.MustNewType("otlp_grpc")))
}

// exporterhelper's error line for every failed batch is suppressed. The exporter's own lines are not.
func TestSettingsSilenceTheHelper(t *testing.T) {
	core, seen := observer.New(zap.InfoLevel)
	set := exportertest.NewNopSettings(component.MustNewType("fallbacklog"))
	set.Logger = zap.New(core)
	set = wrappedSettings(set, parseSpec(t, map[string]any{"otlp_grpc": nil}))
	assert.Equal(t, "otlp_grpc", set.ID.Type().String())

	set.ID = component.NewID(component.MustNewType("x"))
	e, err := exporterhelper.NewLogs(context.Background(), set, struct{}{}, func(context.Context, plog.Logs) error {
		set.Logger.Warn("of its own")
		return assert.AnError
	})
	require.NoError(t, err)
	require.ErrorIs(t, e.ConsumeLogs(context.Background(), plog.NewLogs()), assert.AnError)
	require.Equal(t, 1, seen.Len())
	assert.Equal(t, "of its own", seen.All()[0].Message)
}
