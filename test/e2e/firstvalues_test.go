package e2e

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	otelmetric "go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
)

// sdkApp is an application with the OpenTelemetry SDK. It has cumulative counters, one per user, and their ledger.
type sdkApp struct {
	t        *testing.T
	provider *sdkmetric.MeterProvider
	counter  otelmetric.Int64Counter
	values   map[string]int64 // since the process began
	exported time.Time
}

func startSDK(t *testing.T, address string) *sdkApp {
	exporter, err := otlpmetricgrpc.New(context.Background(), otlpmetricgrpc.WithEndpoint(address), otlpmetricgrpc.WithInsecure(),
		otlpmetricgrpc.WithRetry(otlpmetricgrpc.RetryConfig{Enabled: false}))
	require.NoError(t, err)
	a := &sdkApp{t: t, values: make(map[string]int64)}
	a.provider = sdkmetric.NewMeterProvider(
		sdkmetric.WithReader(sdkmetric.NewPeriodicReader(exporter, sdkmetric.WithInterval(time.Hour))), // exports by hand
		sdkmetric.WithResource(resource.NewSchemaless(
			attribute.String("service.name", "orders"), attribute.String("service.instance.id", "a"))),
		sdkmetric.WithCardinalityLimit(0),
	)
	t.Cleanup(func() { _ = a.provider.Shutdown(withTimeout(t)) }) // its last export may find no gateway
	a.counter, err = a.provider.Meter("app").Int64Counter("requests")
	require.NoError(t, err)
	return a
}

func (a *sdkApp) add(user string, n int64) {
	a.counter.Add(context.Background(), n, otelmetric.WithAttributes(attribute.String("user", user)))
	a.values[user] += n
}

// grow adds to every existing counter.
func (a *sdkApp) grow(by int64) {
	for user := range a.values {
		a.add(user, by)
	}
}

// between is the time between two exports, because their points must be more than a second apart.
const between = 1100 * time.Millisecond

// export sends all counters. The first attempt may fail, because the gateway may have just started.
func (a *sdkApp) export() {
	a.t.Helper()
	<-time.After(time.Until(a.exported.Add(between))) // the export interval
	eventually(a.t, "an export", func() bool { return a.provider.ForceFlush(withTimeout(a.t)) == nil })
	a.exported = time.Now()
}

// run exports in several rounds. In each round all counters grow and two users are new, whose counters begin with start.
func (a *sdkApp) run(rounds int, prefix string, start int64) {
	for round := range rounds {
		a.grow(10)
		for i := range 2 {
			a.add(fmt.Sprint(prefix, round, "-", i), start)
		}
		a.export()
	}
}

// onPage returns the values of each user on the page, and the sum of the overflow series.
func onPage(t *testing.T, g *gateway) (users map[string]int64, overflow int64) {
	users = make(map[string]int64)
	for _, s := range scrape(t, g.page, "requests_total") {
		if s.labels["otel_metric_overflow"] == "true" {
			overflow += int64(s.value)
			continue
		}
		users[s.labels["user"]] += int64(s.value)
	}
	return users, overflow
}

// folded returns the sum of the users that have no series of their own.
func folded(values map[string]int64, named map[string]int64) (sum int64) {
	for user, v := range values {
		if _, ok := named[user]; !ok {
			sum += v
		}
	}
	return sum
}

const oldUsers = 40

// startOld runs an application that is older than its gateway, so each of its counters has a lifetime value.
func startOld(t *testing.T, g *gateway, lifetime int64) *sdkApp {
	a := startSDK(t, g.grpc)
	for i := range oldUsers {
		a.add(fmt.Sprint("old-", i), lifetime)
	}
	return a
}

func newLimitedGateway(t *testing.T, storage bool) *gateway {
	g := newGateway(t, "quickstart.yaml")
	g.withOverlay(`
processors:
  cardinalitylimit:
    limits: [{name: metric, key: [resource.service.namespace, resource.service.name, metric.name], max_series: 10}]
    admission: {contested_at: 1}
    reaggregate: {flush_interval: 200ms}
`)
	if storage {
		g.withOverlay(fmt.Sprintf(`
extensions:
  file_storage: {directory: %q, create_directory: true}
processors:
  cardinalitylimit: {storage: file_storage, snapshot_interval: 1s}
service:
  extensions: [health_check, file_storage]
`, filepath.Join(t.TempDir(), "storage")))
	}
	return g
}

// awaitOverflow waits until the overflow series have a sum. It fails at once if they have more.
func awaitOverflow(t *testing.T, g *gateway, what string, want func(named map[string]int64) int64) {
	t.Helper()
	eventually(t, what, func() bool {
		named, overflow := onPage(t, g)
		wanted := want(named)
		require.LessOrEqual(t, overflow, wanted, what)
		return overflow == wanted
	})
}

// An SDK that is older than the gateway: the growth of old streams counts from their first export on, and a new stream counts
// from zero, for large and for small lifetime values.
func TestFirstValuesOfAnOlderSDK(t *testing.T) {
	t.Parallel()
	for _, lifetime := range []int64{100_000, 50} {
		t.Run(fmt.Sprint(lifetime), func(t *testing.T) {
			t.Parallel()
			g := newLimitedGateway(t, false)
			a := startOld(t, g, lifetime)
			g.start()
			a.export() // baselines
			began := map[string]int64{}
			for user, v := range a.values {
				began[user] = v
			}
			a.run(1, "young-", 0) // two streams whose first value is 0 in the second collection
			a.run(8, "new-", 30)
			awaitOverflow(t, g, "all growth", func(named map[string]int64) int64 {
				return folded(a.values, named) - folded(began, named)
			})
		})
	}
}

// An SDK that restarts begins all its streams again: their whole values count.
func TestFirstValuesOfARestartedSDK(t *testing.T) {
	t.Parallel()
	g := newLimitedGateway(t, false)
	g.start()
	first := startSDK(t, g.grpc)
	for i := range oldUsers {
		first.add(fmt.Sprint("user-", i), 1000)
	}
	first.export()
	first.run(2, "first-", 500)
	first.grow(7) // leaves with the shutdown
	require.NoError(t, first.provider.Shutdown(withTimeout(t)))
	total := func(named map[string]int64, apps ...*sdkApp) (sum int64) {
		for _, a := range apps {
			sum += folded(a.values, named)
		}
		return sum
	}
	awaitOverflow(t, g, "the first process", func(named map[string]int64) int64 { return total(named, first) })
	second := startSDK(t, g.grpc)
	for i := range oldUsers {
		second.add(fmt.Sprint("user-", i), 3000) // more than before the restart
	}
	second.export()
	second.run(2, "second-", 500)
	awaitOverflow(t, g, "both processes", func(named map[string]int64) int64 { return total(named, first, second) })
}

// A gateway that restarts with a storage loses nothing that the SDK counts.
func TestFirstValuesAfterARestartWithStorage(t *testing.T) {
	t.Parallel()
	for _, signal := range []string{"SIGTERM", "SIGKILL"} {
		t.Run(signal, func(t *testing.T) {
			t.Parallel()
			g := newLimitedGateway(t, true)
			g.start()
			a := startSDK(t, g.grpc)
			for i := range oldUsers {
				a.add(fmt.Sprint("user-", i), 1000)
			}
			a.export()
			a.run(3, "before-", 50)
			all := func(named map[string]int64) int64 { return folded(a.values, named) }
			awaitOverflow(t, g, "before the restart", all)
			if signal == "SIGTERM" {
				g.stop()
			} else {
				g.kill()
			}
			a.grow(5)
			a.exported = time.Now()
			g.start()
			a.run(6, "after-", 50)
			// After a kill -9, the first value of a stream that began before the kill is a baseline. These streams have the
			// start of the SDK.
			if signal == "SIGTERM" {
				awaitOverflow(t, g, "after the restart", all)
				return
			}
			eventually(t, "known streams go on", func() bool {
				named, overflow := onPage(t, g)
				known := map[string]int64{}
				for user, v := range a.values {
					if len(user) < len("after-") || user[:len("after-")] != "after-" {
						known[user] = v
					}
				}
				require.LessOrEqual(t, overflow, folded(a.values, named))
				return overflow >= folded(known, named)
			})
		})
	}
}

// A gateway that restarts without a storage uses the first values of old streams as baselines, and counts new streams from the
// third export on.
func TestFirstValuesAfterARestartWithoutStorage(t *testing.T) {
	t.Parallel()
	g := newLimitedGateway(t, false)
	g.start()
	a := startOld(t, g, 100_000)
	a.export()
	a.run(2, "before-", 50)
	g.stop()
	a.grow(5)
	a.exported = time.Now()
	g.start()
	a.export() // baselines
	began := map[string]int64{}
	for user, v := range a.values {
		began[user] = v
	}
	a.run(1, "young-", 0)
	a.run(6, "after-", 50)
	awaitOverflow(t, g, "growth after the restart", func(named map[string]int64) int64 {
		return folded(a.values, named) - folded(began, named)
	})
}
