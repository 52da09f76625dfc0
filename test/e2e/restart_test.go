package e2e

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// app is an application with cumulative counters, one per user, and their ledger.
type app struct {
	name   string
	client pmetricotlp.GRPCClient
	began  time.Time
	users  int
	value  int64 // of each counter

	history []reported
}

// reported is the value of each counter from a time on.
type reported struct {
	at    time.Time
	value int64
}

func newApp(t *testing.T, name, address string, users int) *app {
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return &app{name: name, client: pmetricotlp.NewGRPCClient(conn), began: time.Now(), users: users}
}

func (a *app) total() float64 { return float64(a.value) * float64(a.users) }

// valueAt returns the value of each counter at the end of one of Prometheus's milliseconds.
func (a *app) valueAt(ms int64) (value int64) {
	for _, r := range a.history {
		if r.at.UnixMilli() <= ms {
			value = r.value
		}
	}
	return value
}

// report raises every counter and sends them. The gateway may be down.
func (a *app) report(t *testing.T, by int64) error {
	a.value += by
	a.history = append(a.history, reported{time.Now(), a.value})
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	rm.Resource().Attributes().PutStr("service.name", "orders")
	rm.Resource().Attributes().PutStr("service.instance.id", a.name)
	m := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName("requests")
	m.SetEmptySum().SetIsMonotonic(true)
	m.Sum().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	for user := range a.users {
		p := m.Sum().DataPoints().AppendEmpty()
		p.SetIntValue(a.value)
		p.SetStartTimestamp(pcommon.NewTimestampFromTime(a.began))
		p.SetTimestamp(pcommon.NewTimestampFromTime(time.Now()))
		p.Attributes().PutStr("user", fmt.Sprint(user))
	}
	_, err := a.client.Export(withTimeout(t), pmetricotlp.NewExportRequestFromMetrics(md))
	return err
}

// TestRestart: two gateways with a storage write into one Prometheus and one VictoriaMetrics. One gateway ends by SIGTERM and
// by kill -9 while its application continues. The sum over series and overflow equals the ledger, and no series is reset. No
// overflow series ever decreases, or has more than its application has counted by then. At every second the rate is possible
// according to the ledger.
func TestRestart(t *testing.T) {
	const (
		users  = 6
		places = 2
		base   = 100_000 // a spurious reset or jump would be of this size, all growth is small beside it
	)
	gateways := []*gateway{newGateway(t, "quickstart.yaml"), newGateway(t, "quickstart.yaml")}
	backends := map[string]*prometheus{
		"Prometheus":      startPrometheus(t, gateways[0].page),
		"VictoriaMetrics": startVictoriaMetrics(t),
	}
	var apps []*app
	for i, g := range gateways {
		g.withOverlay(fmt.Sprintf(`
extensions:
  file_storage: {directory: %q, create_directory: true}
processors:
  cardinalitylimit:
    storage: file_storage
    snapshot_interval: 1s
    instance_id: gateway-%d
    limits: [{name: metric, key: [resource.service.name, metric.name], max_series: %d}]
    reaggregate: {flush_interval: 1s}
exporters:
  prometheus_remote_write: &remote
    endpoint: http://%s/api/v1/write
    translation_strategy: UnderscoreEscapingWithoutSuffixes
    external_labels: {path: remote_write}
  prometheus_remote_write/victoria:
    <<: *remote
    endpoint: http://%s/api/v1/write
service:
  extensions: [health_check, file_storage]
  pipelines:
    metrics:
      exporters: [forward/page, prometheus_remote_write, prometheus_remote_write/victoria]
`, filepath.Join(t.TempDir(), "storage"), i, places, backends["Prometheus"].address, backends["VictoriaMetrics"].address))
		g.start()
		apps = append(apps, newApp(t, fmt.Sprint("app-", i), g.grpc, users))
	}
	ctx := withTimeout(t)
	began := time.Now()
	const (
		all      = `requests{path="remote_write"}`
		overflow = `requests{path="remote_write",otel_metric_overflow="true"}`
	)
	arrived := func(want float64) {
		t.Helper()
		for name, b := range backends {
			eventually(t, fmt.Sprintf("%s has %v", name, want), func() bool { return b.value(ctx, "sum("+all+")") == want })
		}
	}
	ledger := func() float64 { return apps[0].total() + apps[1].total() }
	for _, a := range apps {
		require.NoError(t, a.report(t, base))
	}
	arrived(ledger())

	restarted := gateways[0]
	for _, end := range []func(){restarted.stop, restarted.kill} {
		for range 5 {
			for _, a := range apps {
				require.NoError(t, a.report(t, 1))
			}
		}
		end()
		require.Error(t, apps[0].report(t, 1), "nobody is there")
		restarted.start()
		// The series continues by itself, before its streams have reported.
		require.NoError(t, apps[1].report(t, 1))
		eventually(t, "the restarted gateway flushes", func() bool {
			return restarted.own("otelcol_processor_cardinalitylimit_emitted_points_total") > 1
		})
		for _, a := range apps {
			require.NoError(t, a.report(t, 1))
		}
		arrived(ledger())
		assert.Zero(t, restarted.own("otelcol_processor_cardinalitylimit_unbaselined_points_total"))
		assert.Zero(t, restarted.own("otelcol_processor_cardinalitylimit_empty_starts_total"))
	}

	growth := ledger() - 2*users*base
	for name, b := range backends {
		assert.InDelta(t, 2, b.value(ctx, "count("+overflow+")"), 0, "%s: one series a gateway", name)
		assert.InDelta(t, 2*places, b.value(ctx, "count("+all+")")-2, 0, "%s: the incumbents", name)
		assert.Zero(t, b.value(ctx, "sum(resets("+all+"[1h]))"), name)
		assert.InDelta(t, growth, b.value(ctx, "sum(max_over_time("+all+"[1h]) - min_over_time("+all+"[1h]))"), 0, name)
		assertOverflowIsTheLedger(t, name, b.matrix(ctx, overflow+"[1h]"), apps, users-places)
		// Prometheus extends a window with two samples most, by 1.1 times their distance at either end. VictoriaMetrics does
		// not extend it, but its rate may also be that of two samples a few milliseconds apart.
		for _, rise := range []string{"increase(%s[10s])", "10 * rate(%s[10s])"} {
			for _, selector := range []string{all, overflow} {
				expression := "sum(" + fmt.Sprintf(rise, selector) + ")"
				steps := b.steps(ctx, expression, began, time.Now())
				require.Len(t, steps, 1, "%s: %s", name, expression)
				most := 0.0
				for _, p := range steps[0].points {
					assert.GreaterOrEqual(t, p.value, 0.0, "%s: %s", name, expression)
					most = max(most, p.value)
				}
				assert.Positive(t, most, "%s: %s", name, expression)
				if name == "Prometheus" || strings.HasPrefix(rise, "increase") {
					assert.LessOrEqual(t, most, 3.2*growth, "%s: %s", name, expression)
				}
			}
		}
		// Prometheus extends the rate by up to a sample interval at both ends of the series' life,
		// VictoriaMetrics divides by that life.
		seconds := 3600.0
		if name == "VictoriaMetrics" {
			seconds = b.value(ctx, "max(tlast_over_time("+overflow+"[1h]) - tfirst_over_time("+overflow+"[1h]))")
		}
		rate := seconds * b.value(ctx, "sum(rate("+all+"[1h]))")
		assert.Greater(t, rate, growth/2, name)
		assert.Less(t, rate, growth*2, name)
	}
	// The scraped page of the restarted gateway has the same sums.
	assert.Zero(t, backends["Prometheus"].value(ctx, `sum(resets(requests_total{path=""}[1h]))`))
	for _, g := range gateways {
		g.stop()
	}
	t.Logf("ledger %v, of which %v after the first report; one gateway ended by SIGTERM and by SIGKILL", ledger(), growth)
}

// assertOverflowIsTheLedger compares the stored samples of the overflow series, one per gateway, with the count of the
// gateway's application in its folded streams. A sample is never less than the one before, and never more than the count at its
// time. The last sample is the whole count.
func assertOverflowIsTheLedger(t *testing.T, backend string, stored []samples, apps []*app, folded int64) {
	t.Helper()
	seen := map[string]bool{}
	for _, s := range stored {
		writer := s.labels["instance"]
		seen[writer] = true
		i := slices.IndexFunc(apps, func(a *app) bool { return writer == "gateway-"+strings.TrimPrefix(a.name, "app-")+"/cardinalitylimit" })
		require.GreaterOrEqual(t, i, 0, "%s: %v", backend, s.labels)
		last := 0.0
		for _, p := range s.points {
			assert.GreaterOrEqual(t, p.value, last, "%s: %s decreases at %d", backend, writer, p.ms)
			assert.LessOrEqual(t, p.value, float64(apps[i].valueAt(p.ms)*folded), "%s: %s at %d", backend, writer, p.ms)
			last = p.value
		}
		assert.InDelta(t, apps[i].value*folded, last, 0, "%s: %s", backend, writer)
		assert.Greater(t, len(s.points), 5, "%s: %s", backend, writer)
	}
	assert.Len(t, seen, len(apps), backend)
}
