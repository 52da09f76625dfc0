package metricsudp

import (
	"context"
	"net"
	"runtime"
	"testing"

	"github.com/DataDog/datadog-go/v5/statsd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/series"
)

func TestOrigin(t *testing.T) {
	for _, tt := range []struct {
		keys map[string]any
		want series.OriginMode
	}{
		{nil, series.OriginNone},
		{map[string]any{"origin": "none"}, series.OriginNone},
		{map[string]any{"origin": "ip"}, series.OriginIP},
		{map[string]any{"origin": "container"}, series.OriginContainer},
		{map[string]any{"ignore_host": true}, series.OriginNone},
		{map[string]any{"ignore_host": false}, series.OriginNone},
		{map[string]any{"enable_ip_only_aggregation": true}, series.OriginIP},
		{map[string]any{"enable_ip_only_aggregation": true, "ignore_host": true}, series.OriginNone},
		{map[string]any{"enable_ip_only_aggregation": true, "origin": "ip"}, series.OriginIP},
		{map[string]any{"ignore_host": true, "origin": "none"}, series.OriginNone},
		{map[string]any{"enable_ip_only_aggregation": true, "ignore_host": true, "origin": "none"}, series.OriginNone},
		{map[string]any{"compatibility": "statsd"}, series.OriginIP},
		{map[string]any{"compatibility": "statsd", "enable_ip_only_aggregation": true}, series.OriginIP},
		{map[string]any{"compatibility": "statsd", "ignore_host": true}, series.OriginNone},
		{map[string]any{"compatibility": "statsd", "origin": "none"}, series.OriginNone},
		{map[string]any{"compatibility": "statsd", "origin": "container"}, series.OriginContainer},
		{map[string]any{"transport": "unixgram", "origin": "container"}, series.OriginContainer},
		{map[string]any{"transport": "unixgram", "compatibility": "statsd"}, series.OriginIP},
	} {
		if runtime.GOOS == "windows" && tt.keys["transport"] == "unixgram" {
			continue
		}
		cfg, err := decode(t, tt.keys)
		require.NoError(t, err)
		require.NoError(t, cfg.Validate(), "%v", tt.keys)
		assert.Equal(t, tt.want, cfg.origin(), "%v", tt.keys)
		options, err := cfg.seriesOptions()
		require.NoError(t, err)
		assert.Equal(t, tt.want, options.Origin)
		assert.Equal(t, tt.want == series.OriginIP, cfg.socketOptions().NeedsSources, "%v", tt.keys)
	}
}

func TestOriginsThatDisagree(t *testing.T) {
	for want, keys := range map[string]map[string]any{
		`origin: must be one of none, ip, container (got "port")`:                                                 {"origin": "port"},
		`origin: must be none or left out, as ignore_host is true (got "ip")`:                                     {"origin": "ip", "ignore_host": true},
		`origin: must be none or left out, as ignore_host is true (got "container")`:                              {"origin": "container", "ignore_host": true, "enable_ip_only_aggregation": true},
		`origin: must be ip or left out, as enable_ip_only_aggregation is true (got "none")`:                      {"origin": "none", "enable_ip_only_aggregation": true},
		`origin: must be ip or left out, as enable_ip_only_aggregation is true (got "container")`:                 {"compatibility": "statsd", "origin": "container", "enable_ip_only_aggregation": true},
		`origin: must be none, container or left out, as the senders to a Unix socket have no address (got "ip")`: {"transport": "unixgram", "origin": "ip"},
	} {
		if runtime.GOOS == "windows" && keys["transport"] == "unixgram" {
			continue
		}
		cfg, err := decode(t, keys)
		require.NoError(t, err)
		require.EqualError(t, cfg.Validate(), want)
	}
}

// clients is a consumer that keeps the client address in the context of each batch.
type clients struct {
	consumertest.MetricsSink
	addrs []net.Addr
}

func (c *clients) ConsumeMetrics(ctx context.Context, md pmetric.Metrics) error {
	c.addrs = append(c.addrs, client.FromContext(ctx).Addr)
	return c.MetricsSink.ConsumeMetrics(ctx, md)
}

var _ consumer.Metrics = (*clients)(nil)

// Two sockets of one host are one client, over IPv4 and by an IPv4-mapped address.
func TestClientOfEachBatch(t *testing.T) {
	for endpoint, want := range map[string]string{"127.0.0.1:0": "127.0.0.1", "[::1]:0": "::1", "[::]:0": "127.0.0.1"} {
		t.Run(endpoint, func(t *testing.T) {
			if probe, err := net.ListenPacket("udp", endpoint); err != nil {
				t.Skip(err)
			} else {
				require.NoError(t, probe.Close())
			}
			next := new(clients)
			r := start(t, next, func(c *Config) { c.Endpoint, c.Origin = endpoint, originIP })
			_, port, err := net.SplitHostPort(r.addr().String())
			require.NoError(t, err)
			for range 2 {
				conn, err := net.Dial("udp", net.JoinHostPort(want, port))
				require.NoError(t, err)
				_, err = conn.Write([]byte("a:1|c|#x:1|c:ci-1"))
				require.NoError(t, err)
				require.NoError(t, conn.Close())
			}
			require.NoError(t, r.Shutdown(context.Background()))
			require.Len(t, next.AllMetrics(), 1)
			rm := next.AllMetrics()[0].ResourceMetrics().At(0)
			assert.Equal(t, map[string]any{"client.address": want}, rm.Resource().Attributes().AsRaw())
			assert.Equal(t, int64(2), rm.ScopeMetrics().At(0).Metrics().At(0).Sum().DataPoints().At(0).IntValue())
			require.IsType(t, &net.IPAddr{}, next.addrs[0])
			assert.Equal(t, want, next.addrs[0].String())
		})
	}
}

// Without the origin ip, also with the origin container, the context of a batch has no client address.
func TestBatchesWithoutClient(t *testing.T) {
	for _, origin := range []string{"", originContainer} {
		next := new(clients)
		r := start(t, next, func(c *Config) { c.Origin = origin })
		r.send(t, "a:1|c|c:ci-1\na:1|c")
		require.NoError(t, r.Shutdown(context.Background()))
		require.NotEmpty(t, next.addrs)
		for _, addr := range next.addrs {
			assert.Nil(t, addr)
		}
	}
}

// datadogContainer is the container of every datadog-go client here: the first client of a process decides.
const datadogContainer = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// The fields that datadog-go adds if it detects its container: the container to metrics that it aggregates, and also external data
// to all others.
func TestDatadogOrigins(t *testing.T) {
	t.Setenv("DD_EXTERNAL_ENV", "it-false,cn-web,pu-75a2b6d5-3949-4afb-ad0d-92ff0674e759")
	sink := new(consumertest.MetricsSink)
	r := start(t, sink, func(c *Config) { c.Origin = originContainer })
	dogstatsd, err := statsd.New(r.addr().String(), statsd.WithContainerID("ci-"+datadogContainer),
		statsd.WithoutTelemetry(), statsd.WithCardinality(statsd.CardinalityHigh))
	require.NoError(t, err)
	require.NoError(t, dogstatsd.Count("hits", 3, []string{"a:1"}, 1))
	require.NoError(t, dogstatsd.Distribution("took", 5, nil, 1))
	require.NoError(t, dogstatsd.Close())
	require.NoError(t, r.Shutdown(context.Background()))

	resources := map[string]map[string]any{}
	for _, md := range sink.AllMetrics() {
		rm := md.ResourceMetrics().At(0)
		resources[rm.ScopeMetrics().At(0).Metrics().At(0).Name()] = rm.Resource().Attributes().AsRaw()
	}
	assert.Equal(t, map[string]map[string]any{
		"hits": {"container.id": datadogContainer},
		"took": {"container.id": datadogContainer, "k8s.container.name": "web", "k8s.pod.uid": "75a2b6d5-3949-4afb-ad0d-92ff0674e759"},
	}, resources)
	hits := findMetric(t, sink.AllMetrics(), "hits").Sum().DataPoints().At(0)
	assert.Equal(t, int64(3), hits.IntValue())
	assert.Equal(t, map[string]any{"a": "1"}, hits.Attributes().AsRaw())
}
