package fallbacklog

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
)

const (
	hourSenders = 10   // each sends one batch per second
	hourPoints  = 1000 // per batch
)

// A downstream is away for an hour while 10,000 points arrive per second. Then it comes back and accepts the backlog in half an
// hour, together with live data. Time is virtual, so waiting costs none. The disk and its fsync are real. The ledger is exact,
// and the telemetry predicts the end. The short form has an outage of 36 seconds.
func TestSoakOutageHour(t *testing.T) {
	outage := 36 * time.Second
	if os.Getenv("SOAK") != "" {
		outage = time.Hour
	}
	for _, format := range []Format{FormatJSON, FormatProto} {
		t.Run(string(format), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { outageHour(t, format, outage) })
		})
	}
}

func outageHour(t *testing.T, format Format, outage time.Duration) {
	// This is more than the minute that seconds_to_drained is computed from.
	drain := max(outage/2, 150*time.Second)
	h := startHour(t, format, outage.Seconds()*hourSenders*hourPoints/drain.Seconds())
	used, began := resources(t), time.Now()
	h.run(outage, func() bool { return time.Since(began) < outage })
	logging := resources(t).since(used)

	// These are the values at the end of the outage.
	points, disk, segments := h.sent, float64(h.sum("bytes_on_disk")), h.sum("segments")
	assert.EqualValues(t, 2, h.sum("breaker_state"))
	assert.Equal(t, points, h.sum("logged_items"))
	age, _ := h.seconds("oldest_record_age")
	assert.InDelta(t, outage.Seconds(), age, 2)
	full, _ := h.seconds("seconds_to_full")
	assert.InEpsilon(t, (float64(h.sum("capacity_bytes"))-disk)/(disk/outage.Seconds()), full, 0.05)
	// A segment ends when it is full or 5 minutes old, whichever is first.
	cut := min(5*time.Minute, time.Duration(64*mib/(disk/outage.Seconds())*float64(time.Second)))
	assert.InDelta(t, outage/cut, segments, float64(1+segments/50))

	h.sink.away.Store(false)
	began = time.Now()
	h.run(h.cfg.Breaker.MaxOpenInterval, func() bool { return h.sum("breaker_state") != 0 })
	noticed := time.Since(began)
	used, began = resources(t), time.Now()
	h.run(drain, func() bool { return time.Since(began) < 40*time.Second })
	soon := time.Now()
	first, ok := h.seconds("seconds_to_drained")
	assert.True(t, ok)
	h.run(drain, func() bool { return time.Since(began) < drain/2 })
	foretold, ok := h.seconds("seconds_to_drained")
	assert.True(t, ok)
	middle := time.Now()
	h.run(drain, func() bool { return h.log.Stats().Unread > 0 })
	draining, took := resources(t).since(used), time.Since(began)
	assert.InEpsilon(t, time.Since(middle).Seconds(), foretold, 0.1)
	assert.InEpsilon(t, time.Since(soon).Seconds(), first, 0.25, "40 seconds after the breaker has closed")

	h.second() // one second later nothing has changed
	assert.Zero(t, h.sum("bytes_on_disk"))
	assert.Zero(t, h.sum("breaker_state"))
	replayed := h.sum("delivered_items", "path", "replayed")
	assert.Equal(t, h.sum("logged_items"), replayed)
	assert.Equal(t, h.sent, h.sum("received_items"))
	assert.Equal(t, h.sent, replayed+h.sum("delivered_items", "path", "direct"))
	for _, name := range []string{"dropped_items", "rejected_items", "expired_items", "dead_letter_items", "corrupt_bytes"} {
		assert.Zero(t, h.sum(name), name)
	}
	h.sink.check(t, h.sent)
	t.Logf("%s, %v: %d points in %.1f MiB, %d segments: %.0f bytes a point, %.2f GiB an hour at %d points/s; "+
		"logged in %.1f s of real time (%.0f points/s, %.2f us of CPU a point), RSS at most %d MiB; "+
		"drained in %.1f s (%.0f points/s, %.2f us of CPU a point), RSS at most %d MiB; "+
		"in virtual time the breaker closed after %v and the log was drained in %v",
		format, outage, points, disk/mib, segments, disk/float64(points),
		disk/float64(points)*hourSenders*hourPoints*3600/(1<<30), hourSenders*hourPoints,
		logging.elapsed, float64(points)/logging.elapsed, 1e6*logging.cpu/float64(points), logging.peak>>20,
		draining.elapsed, float64(replayed)/draining.elapsed, 1e6*draining.cpu/float64(replayed), draining.peak>>20,
		noticed.Round(time.Second), took.Round(time.Second))
}

// hour is the component with its downstream and its senders.
type hour struct {
	*gateway
	log     *segment.Log
	cfg     *Config
	sink    *farEnd
	batches []pmetric.Metrics // one per sender
	sent    int64             // points
	next    int64             // number of the next batch
}

// startHour starts it with a downstream that is away. Later the downstream accepts perSecond points per second in replayed
// requests.
func startHour(t *testing.T, format Format, speed float64) *hour {
	h := &hour{gateway: &gateway{t: t, tel: componenttest.NewTelemetry()}}
	h.cfg = loadConfig(t, map[string]any{
		"exporter": map[string]any{"far": nil},
		"timeout":  "30s",                                   // a replayed request needs several seconds
		"replay":   map[string]any{"order": "oldest_first"}, // live data passes the log, which seconds_to_drained assumes
		"log": map[string]any{
			"directory": t.TempDir(), "format": string(format), "min_free_disk_mib": 0, "max_disk_mib": 20480,
		},
	})
	h.sink = &farEnd{each: time.Duration(float64(h.cfg.Replay.Concurrency) / speed * float64(time.Second))}
	h.sink.away.Store(true)
	f := NewFactory()
	set := exporterSettings(t, f)
	set.TelemetrySettings = h.tel.NewTelemetrySettings()
	e, err := f.CreateMetrics(context.Background(), set, h.cfg)
	require.NoError(t, err)
	require.NoError(t, e.Start(context.Background(), newTestHost(h.sink.factory())))
	t.Cleanup(func() {
		require.NoError(t, e.Shutdown(context.Background()))
		require.NoError(t, h.tel.Shutdown(context.Background()))
	})
	h.metrics, h.log = e, e.(metricsExporter).lane.log
	for range hourSenders {
		h.batches = append(h.batches, hourBatch())
	}
	return h
}

// run sends while goOn returns true, at most twice the expected time.
func (h *hour) run(should time.Duration, goOn func() bool) {
	h.t.Helper()
	for began := time.Now(); goOn(); h.second() {
		require.LessOrEqual(h.t, time.Since(began), 2*should)
	}
}

// second sends one batch of each sender, for one second.
func (h *hour) second() {
	until := time.Now().Add(time.Second)
	var wg sync.WaitGroup
	for _, md := range h.batches {
		number := h.next
		h.next++
		h.sent += hourPoints
		wg.Go(func() {
			stamp(md, number)
			assert.NoError(h.t, h.metrics.ConsumeMetrics(context.Background(), md))
		})
	}
	wg.Wait()
	time.Sleep(time.Until(until))
}

const batchNumber = "batch"

// hourBatch is a batch like that of a fleet of services: cumulative counters with four attributes.
func hourBatch() pmetric.Metrics {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	rm.Resource().Attributes().PutStr("service.name", "checkout")
	rm.Resource().Attributes().PutStr("service.instance.id", "checkout-7f9c6d5b4-x2x9k")
	metrics := rm.ScopeMetrics().AppendEmpty().Metrics()
	for i := range 10 {
		m := metrics.AppendEmpty()
		m.SetName(fmt.Sprintf("http.server.requests.%d", i))
		m.SetEmptySum().SetIsMonotonic(true)
		m.Sum().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		for k := range hourPoints / 10 {
			p := m.Sum().DataPoints().AppendEmpty()
			p.Attributes().PutStr("route", fmt.Sprintf("/api/v1/orders/%d", k))
			p.Attributes().PutStr("method", "GET")
			p.Attributes().PutStr("status", "200")
			p.Attributes().PutStr("shop", fmt.Sprintf("s%d", k%8))
		}
	}
	return md
}

// stamp sets the number of a batch, and the time and the value of its points.
func stamp(md pmetric.Metrics, number int64) {
	now := pcommon.NewTimestampFromTime(time.Now())
	rm := md.ResourceMetrics().At(0)
	rm.Resource().Attributes().PutInt(batchNumber, number)
	for _, m := range rm.ScopeMetrics().At(0).Metrics().All() {
		for k, p := range m.Sum().DataPoints().All() {
			p.SetStartTimestamp(1)
			p.SetTimestamp(now)
			p.SetIntValue(number * int64(k))
		}
	}
}

// farEnd is a downstream on exporterhelper that is away or slow.
type farEnd struct {
	away atomic.Bool
	each time.Duration // per point

	mu       sync.Mutex
	accepted map[int64]int // points by batch
}

func (s *farEnd) factory() exporter.Factory {
	return exporter.NewFactory(component.MustNewType("far"), func() component.Config { return &struct{}{} },
		exporter.WithMetrics(func(ctx context.Context, set exporter.Settings, cfg component.Config) (exporter.Metrics, error) {
			return exporterhelper.NewMetrics(ctx, set, cfg, s.receive, exporterhelper.WithTimeout(exporterhelper.TimeoutConfig{}))
		}, component.StabilityLevelStable))
}

func (s *farEnd) receive(ctx context.Context, md pmetric.Metrics) error {
	if s.away.Load() {
		return status.Error(codes.Unavailable, "away")
	}
	select {
	case <-time.After(time.Duration(md.DataPointCount()) * s.each):
	case <-ctx.Done():
		return ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.accepted == nil {
		s.accepted = map[int64]int{}
	}
	for _, rm := range md.ResourceMetrics().All() {
		number, _ := rm.Resource().Attributes().Get(batchNumber)
		for _, m := range rm.ScopeMetrics().At(0).Metrics().All() {
			s.accepted[number.Int()] += m.Sum().DataPoints().Len()
		}
	}
	return nil
}

// check verifies that every batch has arrived once, with all its points.
func (s *farEnd) check(t *testing.T, sent int64) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	assert.Len(t, s.accepted, int(sent/hourPoints))
	for number, points := range s.accepted {
		require.Equal(t, hourPoints, points, "points of batch %d", number)
	}
}

// used contains the resources that this process has used, in real time.
type used struct {
	elapsed float64 // s
	cpu     float64 // s
	peak    int64   // bytes of RSS since the previous call of resources
}

// resources returns the resources used so far and resets the peak. It does not use package time, whose clock is virtual in a
// synctest bubble.
func resources(t testing.TB) used {
	t.Helper()
	var now syscall.Timeval
	require.NoError(t, syscall.Gettimeofday(&now))
	var r syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &r))
	status, err := os.ReadFile("/proc/self/status")
	require.NoError(t, err)
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	kib, err := strconv.ParseInt(strings.Fields(after)[0], 10, 64)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)) // proc(5): resets VmHWM
	return used{
		elapsed: float64(now.Nano()) / 1e9, cpu: float64(r.Utime.Nano()+r.Stime.Nano()) / 1e9, peak: kib << 10,
	}
}

func (u used) since(before used) used {
	return used{elapsed: u.elapsed - before.elapsed, cpu: u.cpu - before.cpu, peak: u.peak}
}
