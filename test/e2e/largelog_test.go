package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog"
)

const (
	mib = 1 << 20

	largeSegment = 64 * mib // log::max_segment_size_mib's default

	// largeLive is the memory that draining needs, for any size of the log, with concurrency 2 and coalesce_mib 1: the window
	// of (concurrency + 1) * coalesce_mib, the reader's buffer of 1 MiB, and for each of 2 requests its records (1 MiB),
	// decoded (1 MiB of protobuf becomes about 6, according to a heap profile) and encoded again (1 MiB).
	largeLive = (3 + 1 + 2*(1+6+1)) * mib
	// largeNoise: the garbage collector lets the heap grow to twice its live size, and returns freed memory at times of its own
	// choice. The peak of a process depends on these times.
	largeNoise = 2 * largeLive
)

// TestSoakLargeLog: a gateway starts with a log of 1 GiB, and drains it. The start reads one segment instead of the whole log.
// The peak memory is that of a backlog of an eighth of the size. Every batch arrives once. The short form has 128 MiB.
func TestSoakLargeLog(t *testing.T) {
	large := int64(128 * mib)
	if os.Getenv("SOAK") != "" {
		large = 1024 * mib
	}
	for _, format := range []string{"otlp_json", "otlp_proto"} {
		t.Run(format, func(t *testing.T) {
			empty := drain(t, format, 0)
			// The newest segment is half full. The start reads it.
			small := drain(t, format, large/8+largeSegment/2)
			whole := drain(t, format, large+largeSegment/2)
			assert.GreaterOrEqual(t, whole.segments, int(large/largeSegment))
			// In addition to the memory with an empty log: the newest segment, and the memory of replay before the first
			// request.
			assert.Less(t, whole.read-empty.read, whole.newest+largeLive)
			assert.Less(t, whole.peakRSS-small.peakRSS, int64(largeNoise))
			t.Logf("%s, an empty log: ready in %v, RSS %d MiB", format, empty.ready.Round(time.Millisecond), empty.rss/mib)
			for _, d := range []drained{small, whole} {
				t.Logf("%s, %d MiB in %d segments: ready in %v (%.1f MiB read), RSS %d MiB; drained in %.1f s (%.1f MiB/s, %.0f points/s), RSS at most %d MiB",
					format, d.bytes/mib, d.segments, d.ready.Round(time.Millisecond), float64(d.read)/mib, d.rss/mib,
					d.took.Seconds(), float64(d.bytes)/mib/d.took.Seconds(), float64(d.points)/d.took.Seconds(), d.peakRSS/mib)
			}
		})
	}
}

// drained has the measurements of a gateway that drained a log.
type drained struct {
	bytes, newest int64 // of the log, and of its newest segment
	segments      int
	points        int64

	ready        time.Duration // from the start of the process
	read         int64         // bytes that the process had read by then
	rss, peakRSS int64         // by then, and the most until the log was drained
	took         time.Duration // from the first request to the last
}

func drain(t *testing.T, format string, size int64) (d drained) {
	g := newGateway(t, "quickstart.yaml", fmt.Sprintf(`
exporters:
  fallbacklog/large:
    exporter: {otlp_grpc: {endpoint: "${env:OTLP_ENDPOINT}", tls: {insecure: true}}}
    circuit_breaker: {open_interval: 100ms, max_open_interval: 200ms}
    log: {directory: "${env:FALLBACKLOG_DIRECTORY}", format: %s}
service:
  pipelines:
    metrics: {exporters: [forward/page, fallbacklog/large]}
`, format))
	batches := fillLog(t, g.log, format, size)
	files, err := filepath.Glob(filepath.Join(g.log, "*", "metrics", "0*"))
	require.NoError(t, err)
	for _, f := range files { // in the order of their numbers
		info, err := os.Stat(f)
		require.NoError(t, err)
		d.newest, d.bytes = info.Size(), d.bytes+info.Size()
	}
	d.segments, d.points = len(files), int64(batches)*largePoints
	require.GreaterOrEqual(t, d.bytes, size)

	g.start()
	d.ready, d.rss, d.read = g.readyAfter, g.usage().rss, g.reads()
	b := startMarked(t, g.backend)
	eventually(t, "the log is drained", func() bool { return g.own("otelcol_exporter_fallbacklog_bytes_on_disk") == 0 })
	d.took = b.check(t, batches)
	d.peakRSS = g.peakRSS()
	assert.InDelta(t, d.points, g.own("otelcol_exporter_fallbacklog_delivered_items_total", "path", "replayed"), 0)
	g.stop()
	return d
}

// reads returns the number of bytes that the process has read from any file or socket.
func (g *gateway) reads() int64 {
	g.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", g.cmd.Process.Pid))
	require.NoError(g.t, err)
	_, after, found := strings.Cut(string(text), "rchar:")
	require.True(g.t, found)
	n, err := strconv.ParseInt(strings.Fields(after)[0], 10, 64)
	require.NoError(g.t, err)
	return n
}

const (
	largePoints = 1000 // a batch
	largeWrites = 4    // at once

	// largeMark is in every batch once, before its number of 6 digits.
	largeMark = "number-of-the-batch-"
)

// fillLog lets the exporter write a log, as in an outage, until it contains so many bytes, and returns the number of batches.
// It does not sync, because the measurement comes later.
func fillLog(t *testing.T, directory, format string, size int64) (batches int) {
	t.Helper()
	f := fallbacklog.NewFactory()
	cfg := f.CreateDefaultConfig()
	require.NoError(t, confmap.NewFromStringMap(map[string]any{
		"log": map[string]any{"directory": directory, "format": format, "fsync": "none"},
	}).Unmarshal(cfg))
	set := exportertest.NewNopSettings(f.Type())
	set.ID = component.NewIDWithName(f.Type(), "large")
	e, err := f.CreateMetrics(t.Context(), set, cfg)
	require.NoError(t, err)
	require.NoError(t, e.Start(t.Context(), componenttest.NewNopHost()))
	defer func() { require.NoError(t, e.Shutdown(context.Background())) }()
	if size == 0 {
		return 0
	}
	// The first batch shows the size. All batches have the same size.
	require.NoError(t, e.ConsumeMetrics(t.Context(), largeBatch(0)))
	files, err := filepath.Glob(filepath.Join(directory, "*", "metrics", "0*"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	info, err := os.Stat(files[0])
	require.NoError(t, err)
	batches = int(size/info.Size()) + 2
	var (
		next atomic.Int64
		wg   sync.WaitGroup
	)
	for range largeWrites {
		wg.Go(func() {
			for n := int(next.Add(1)); n < batches; n = int(next.Add(1)) {
				if err := e.ConsumeMetrics(t.Context(), largeBatch(n)); !assert.NoError(t, err) {
					return
				}
			}
		})
	}
	wg.Wait()
	return batches
}

func largeBatch(number int) pmetric.Metrics {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	rm.Resource().Attributes().PutStr("service.name", "checkout")
	rm.Resource().Attributes().PutStr("number", fmt.Sprintf("%s%06d", largeMark, number))
	sum := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	sum.SetName("http.server.requests")
	sum.SetEmptySum().SetIsMonotonic(true)
	sum.Sum().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	now := pcommon.NewTimestampFromTime(time.Now())
	sum.Sum().DataPoints().EnsureCapacity(largePoints)
	for k := range largePoints {
		p := sum.Sum().DataPoints().AppendEmpty()
		p.SetStartTimestamp(1)
		p.SetTimestamp(now)
		p.SetIntValue(int64(1_000_000 + k))
		p.Attributes().PutStr("route", fmt.Sprintf("/api/v1/orders/%03d", k))
		p.Attributes().PutStr("method", "GET")
		p.Attributes().PutStr("status", "200")
		p.Attributes().PutStr("shop", fmt.Sprintf("s%d", k%8))
	}
	return md
}

// marked is an OTLP backend that searches for marks without decoding, so that the drain does not wait for it.
type marked struct {
	mu          sync.Mutex
	first, last time.Time      // of the requests
	accepted    map[string]int // batches, by number
}

func startMarked(t *testing.T, address string) *marked {
	listener, err := net.Listen("tcp", address)
	require.NoError(t, err)
	b := &marked{accepted: map[string]int{}}
	server := grpc.NewServer(grpc.ForceServerCodecV2(rawCodec{}), grpc.MaxRecvMsgSize(64*mib), grpc.UnknownServiceHandler(b.serve))
	go func() { _ = server.Serve(listener) }() // ends with Stop
	t.Cleanup(server.Stop)
	return b
}

func (b *marked) serve(_ any, stream grpc.ServerStream) error {
	var request []byte
	if err := stream.RecvMsg(&request); err != nil {
		return err
	}
	b.mu.Lock()
	b.last = time.Now()
	if b.first.IsZero() {
		b.first = b.last
	}
	for {
		_, after, found := bytes.Cut(request, []byte(largeMark))
		if !found {
			break
		}
		b.accepted[string(after[:6])]++
		request = after
	}
	b.mu.Unlock()
	return stream.SendMsg(&[]byte{}) // an empty answer accepts everything
}

// check asserts that each batch has arrived once. It returns the time between the first and the last request.
func (b *marked) check(t *testing.T, batches int) time.Duration {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	require.Len(t, b.accepted, batches)
	for number, times := range b.accepted {
		require.Equal(t, 1, times, "arrivals of batch %s", number)
	}
	return b.last.Sub(b.first)
}

// rawCodec is a codec of gRPC that neither encodes nor decodes.
type rawCodec struct{}

func (rawCodec) Name() string { return "proto" }

func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(*v.(*[]byte))}, nil
}

func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*[]byte) = data.Materialize()
	return nil
}
