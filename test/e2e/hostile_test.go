package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

const (
	// slowestAnswer bounds the time of a gateway's answer to any request.
	slowestAnswer = 2 * time.Second
	// hostileRSS bounds a gateway's resident memory under the requests of hostilePoints.
	hostileRSS = 300 << 20
)

// TestSoakHistograms: no histogram that OTLP can express ends a shipped gateway, or occupies it for long. Requests of random
// histograms, most of them exponential, valid and invalid, come over HTTP and gRPC while the page is scraped. Each request is
// answered in time, and memory stays bounded.
func TestSoakHistograms(t *testing.T) {
	gateways := map[string]func(*testing.T) *gateway{"second gateway of the README": newSecondGateway}
	files, err := filepath.Glob(config("*.yaml"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		name := filepath.Base(file)
		if elsewhere[name] == "" {
			gateways[name] = func(t *testing.T) *gateway { return newGateway(t, name) }
		}
	}
	each := soakFor(4*time.Second, 10*time.Minute) / time.Duration(len(gateways))
	for name, gateway := range gateways {
		t.Run(name, func(t *testing.T) {
			g := gateway(t)
			startSink(t, g.backend)
			g.start()
			h := &hostile{g: g, deadline: time.Now().Add(each), page: slices.Contains(pages, name)}
			h.run(t)
			require.NotContains(t, g.output.String(), "panic")
			peak := g.peakRSS()
			assert.Less(t, peak, int64(hostileRSS), "resident memory")
			assert.Positive(t, g.own("otelcol_processor_bucketing_dropped_points_total"))
			assert.Positive(t, g.own("otelcol_processor_bucketing_points_total"))
			g.stop()
			t.Logf("%d requests of %d points, %d refused, %d scrapes; slowest answer %v; RSS at most %d MiB",
				h.requests, h.points, h.refused, h.scrapes, h.slowest.Round(time.Millisecond), peak>>20)
		})
	}
}

// elsewhere has the reason for which the test above leaves out a shipped configuration. TestBucketingComesFirst covers these.
var elsewhere = map[string]string{
	"kafka.yaml":            "needs a broker",
	"mtls.yaml":             "asks for a client certificate",
	"production.yaml":       "asks for credentials",
	"statsd-migration.yaml": "has no OTLP receiver",
	"traces.yaml":           "its metrics are those of spans",
}

// pages are the gateways with a Prometheus page.
var pages = []string{"quickstart.yaml", "development.yaml", "second gateway of the README"}

// TestBucketingComesFirst: in every shipped configuration, invalid and extreme histograms reach bucketing before any component
// that aggregates. Components that aggregate deltas receive only explicit histograms.
func TestBucketingComesFirst(t *testing.T) {
	files, err := filepath.Glob(config("*.yaml"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		retrieved, err := confmap.NewRetrievedFromYAML(content)
		require.NoError(t, err)
		conf, err := retrieved.AsConf()
		require.NoError(t, err)
		pipelines, err := conf.Sub("service::pipelines")
		require.NoError(t, err)
		aggregates := false
		for name := range pipelines.ToStringMap() {
			processors, _ := pipelines.Get(name + "::processors").([]any)
			receivers, _ := pipelines.Get(name + "::receivers").([]any)
			first := slices.IndexFunc(processors, func(p any) bool {
				aggregates = aggregates || p == "delta_to_cumulative"
				return p == "cardinalitylimit" || p == "delta_to_cumulative"
			})
			fork := !slices.ContainsFunc(receivers, func(r any) bool { return !conf.IsSet("connectors::" + r.(string)) })
			if first < 0 || fork && !slices.Contains(processors, any("cardinalitylimit")) {
				continue // a fork has what the pipeline before it let through
			}
			at := slices.Index(processors, any("bucketing"))
			assert.True(t, 0 <= at && at < first, "%s: %s: %v", filepath.Base(file), name, processors)
		}
		if aggregates {
			rules, _ := conf.Get("processors::bucketing::rules").([]any)
			assert.Contains(t, fmt.Sprint(rules), "map[match:map[types:[exponential_histogram]] target:map[explicit:", filepath.Base(file))
		}
	}
}

// newSecondGateway returns the gateway that docs/quickstart.md starts beside the quickstart.
func newSecondGateway(t *testing.T) *gateway {
	page, err := os.ReadFile("../../docs/quickstart.md")
	require.NoError(t, err)
	set := regexp.MustCompile(`'--set=service\.pipelines\.metrics\.processors=(\[.*\])'`).FindSubmatch(page)
	require.NotNil(t, set, "the page starts a second gateway with processors of its own")
	return newGateway(t, "quickstart.yaml", fmt.Sprintf("service: {pipelines: {metrics: {processors: %s}}}\n", set[1]))
}

// hostile sends random histograms to a gateway until its deadline.
type hostile struct {
	g        *gateway
	deadline time.Time
	page     bool // it has one, which is scraped

	mu                                 sync.Mutex // guards everything below
	requests, points, refused, scrapes int
	slowest                            time.Duration
}

func (h *hostile) run(t *testing.T) {
	conn, err := grpc.NewClient(h.g.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	defer conn.Close()
	client := pmetricotlp.NewGRPCClient(conn)

	// Pairs of points that have crashed gateways: two points of one stream whose differences an aggregation must reconcile.
	first := newHostilePoints(1)
	for _, pair := range hostilePairs {
		h.send(t, "HTTP", first.request(pair...), h.overHTTP)
	}
	var wg sync.WaitGroup
	for worker := range uint64(2) {
		for protocol, send := range map[string]func(pmetricotlp.ExportRequest) (bool, error){
			"HTTP": h.overHTTP,
			"gRPC": func(r pmetricotlp.ExportRequest) (bool, error) { return h.overGRPC(client, r) },
		} {
			points := newHostilePoints(2*worker + uint64(len(protocol))%2)
			wg.Go(func() {
				for time.Now().Before(h.deadline) && !t.Failed() {
					h.send(t, protocol, points.request(points.random()...), send)
				}
			})
		}
	}
	if h.page {
		wg.Go(func() {
			for time.Now().Before(h.deadline) && !t.Failed() {
				h.scrape(t)
			}
		})
	}
	wg.Wait()
	require.False(t, t.Failed())
}

// send sends one request. The gateway must answer in time, if only with a refusal.
func (h *hostile) send(t *testing.T, protocol string, md pmetric.Metrics, send func(pmetricotlp.ExportRequest) (bool, error)) {
	began := h.now()
	refused, err := send(pmetricotlp.NewExportRequestFromMetrics(md))
	took := h.now().since(began)
	if err != nil || took.tooLong() {
		t.Errorf("%s: %v after %v", protocol, err, took)
		text, _ := (&pmetric.JSONMarshaler{}).MarshalMetrics(md)
		t.Logf("the request: %.400s", text)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.requests++
	h.points += md.DataPointCount()
	h.slowest = max(h.slowest, took.wall)
	if refused {
		h.refused++
	}
}

// effort is the time of one wait for an answer, and the gateway's CPU time meanwhile.
type effort struct{ wall, cpu time.Duration }

// tooLong reports whether the gateway answered late although it had CPU time. On a busy machine it may not have had any.
func (e effort) tooLong() bool { return e.wall >= slowestAnswer && e.cpu >= slowestAnswer*3/4 }

// moment is a time and the CPU time that the gateway had used by then.
type moment struct {
	at  time.Time
	cpu time.Duration
}

func (h *hostile) now() moment {
	select {
	case <-h.g.exited:
		return moment{at: time.Now()} // the send reports it
	default:
		return moment{time.Now(), h.g.usage().cpu}
	}
}

func (m moment) since(began moment) effort { return effort{m.at.Sub(began.at), m.cpu - began.cpu} }

var hostileClient = &http.Client{Timeout: patience}

func (h *hostile) overHTTP(r pmetricotlp.ExportRequest) (refused bool, err error) {
	body, err := r.MarshalProto()
	if err != nil {
		return false, err
	}
	response, err := hostileClient.Post("http://"+h.g.http+"/v1/metrics", "application/x-protobuf", bytes.NewReader(body))
	if err != nil {
		return false, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return false, err
	}
	if response.StatusCode >= http.StatusInternalServerError && response.StatusCode != http.StatusServiceUnavailable {
		return false, fmt.Errorf("%s: %s", response.Status, answer)
	}
	return response.StatusCode != http.StatusOK, nil
}

func (h *hostile) overGRPC(client pmetricotlp.GRPCClient, r pmetricotlp.ExportRequest) (refused bool, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, err = client.Export(ctx, r); err == nil {
		return false, nil
	}
	select {
	case <-h.g.exited:
		return false, err
	default:
		return true, ctx.Err()
	}
}

// scrape reads the page. The gateway must answer that in time too.
func (h *hostile) scrape(t *testing.T) {
	began := h.now()
	response, err := hostileClient.Get("http://" + h.g.page + "/metrics")
	if err != nil {
		t.Errorf("scrape: %v", err)
		return
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	if took := h.now().since(began); err != nil || response.StatusCode != http.StatusOK || took.tooLong() {
		t.Errorf("scrape: %s, %v after %v", response.Status, err, took)
	}
	h.mu.Lock()
	h.scrapes++
	h.mu.Unlock()
	time.Sleep(pollEvery) // a scraper's pace; nothing waits for it
}

// startSink starts an OTLP backend, over gRPC and HTTP, that accepts everything and forgets it.
func startSink(t *testing.T, address string) {
	listener, err := net.Listen("tcp", address)
	require.NoError(t, err)
	server := &http.Server{ //nolint:gosec // its only client is the gateway
		Protocols: new(http.Protocols),
		Handler: http.HandlerFunc(func(answer http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // a gateway that gives up is no concern of the sink
			const gRPC = "application/grpc"
			if strings.HasPrefix(r.Header.Get("Content-Type"), gRPC) {
				answer.Header().Set("Content-Type", gRPC)
				answer.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
				_, _ = answer.Write(make([]byte, 5)) // an empty message: not compressed, 0 bytes
			}
		}),
	}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	go func() { _ = server.Serve(listener) }() // ends with Close
	t.Cleanup(func() { _ = server.Close() })
}

// hostilePoint changes a data point of an exponential histogram.
type hostilePoint func(pmetric.ExponentialHistogramDataPoint)

func exponentialOf(scale, offset int32, threshold float64, counts ...uint64) hostilePoint {
	return func(p pmetric.ExponentialHistogramDataPoint) {
		p.SetScale(scale)
		p.SetZeroThreshold(threshold)
		p.Positive().SetOffset(offset)
		p.Positive().BucketCounts().FromRaw(counts)
		for _, n := range counts {
			p.SetCount(p.Count() + n)
		}
	}
}

// miscounted returns a point whose count differs from the sum of its buckets.
func miscounted(p hostilePoint) hostilePoint {
	return func(dp pmetric.ExponentialHistogramDataPoint) {
		p(dp)
		dp.SetCount(dp.Count() + 8)
	}
}

// markerOf returns a point without a recorded value that nevertheless has buckets.
func markerOf(p hostilePoint) hostilePoint {
	return func(dp pmetric.ExponentialHistogramDataPoint) {
		p(dp)
		dp.SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
	}
}

// hostilePairs are pairs of points, each of one stream.
var hostilePairs = [][]hostilePoint{
	{miscounted(exponentialOf(-1, 0, 0, 1)), miscounted(exponentialOf(-1, 0, 1, 1))},
	{exponentialOf(-1, 0, 0, 1), exponentialOf(-1, 0, 1, 1)},
	{markerOf(exponentialOf(-1, 0, 0, 1)), markerOf(exponentialOf(-1, 0, 1, 1))},
	{exponentialOf(20, math.MinInt32, 0, 1), exponentialOf(20, 0, 1e300, 1)},
	{exponentialOf(20, 0, 0), exponentialOf(20, math.MaxInt32, 0, 1)},
	{exponentialOf(0, math.MinInt32, 0, 1), exponentialOf(0, math.MaxInt32, 0, 1)},
	{exponentialOf(math.MaxInt32, 0, 0, 1), exponentialOf(math.MinInt32, 0, 0, 1)},
	{exponentialOf(math.MaxInt32, math.MinInt32, 0, 1), exponentialOf(math.MinInt32, math.MaxInt32, 1, 1)},
	{exponentialOf(20, -1<<30, 0, 1), exponentialOf(20, 1<<30-1, 0, 1)}, // still those of floats
}

// hostilePoints makes requests of a few streams, whose points are in the order of time.
type hostilePoints struct {
	rng  *rand.Rand
	time pcommon.Timestamp
}

func newHostilePoints(seed uint64) *hostilePoints {
	return &hostilePoints{rng: rand.New(rand.NewPCG(seed, 11)), time: pcommon.NewTimestampFromTime(time.Now())}
}

// request returns a request with the points in one metric, and an explicit histogram.
func (h *hostilePoints) request(points ...hostilePoint) pmetric.Metrics {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	rm.Resource().Attributes().PutStr("service.name", oneOf(h.rng, "shop", "cart"))
	metrics := rm.ScopeMetrics().AppendEmpty().Metrics()
	m := metrics.AppendEmpty()
	m.SetName(fmt.Sprintf("hostile.%d", h.rng.IntN(5)))
	m.SetUnit(oneOf(h.rng, "", "ms", "s", "By"))
	e := m.SetEmptyExponentialHistogram()
	e.SetAggregationTemporality(oneOf(h.rng, pmetric.AggregationTemporalityDelta, pmetric.AggregationTemporalityDelta,
		pmetric.AggregationTemporalityCumulative, pmetric.AggregationTemporalityUnspecified))
	for _, change := range points {
		p := e.DataPoints().AppendEmpty()
		h.time++
		p.SetTimestamp(h.time)
		change(p)
	}
	explicit := metrics.AppendEmpty()
	explicit.SetName("hostile.explicit")
	explicit.SetUnit(m.Unit())
	explicit.SetEmptyHistogram().SetAggregationTemporality(e.AggregationTemporality())
	p := explicit.Histogram().DataPoints().AppendEmpty()
	p.SetTimestamp(h.time)
	h.explicit(p)
	return md
}

func oneOf[T any](rng *rand.Rand, choices ...T) T { return choices[rng.IntN(len(choices))] }

// random returns a few points of a few streams, sometimes many.
func (h *hostilePoints) random() []hostilePoint {
	points := make([]hostilePoint, 1+h.rng.IntN(20))
	if h.rng.IntN(100) == 0 {
		points = make([]hostilePoint, h.rng.IntN(3000))
	}
	for i := range points {
		points[i] = h.exponential
	}
	return points
}

func (h *hostilePoints) exponential(p pmetric.ExponentialHistogramDataPoint) {
	rng := h.rng
	p.Attributes().PutInt("a", rng.Int64N(3))
	p.SetScale(oneOf(rng, 0, rng.Int32N(31)-10, rng.Int32N(31)-10, -1, -11, 20, 21, int32(rng.Uint32()), math.MinInt32, math.MaxInt32))
	p.SetZeroThreshold(oneOf(rng, 0, 0, 0, 1, rng.ExpFloat64(), math.SmallestNonzeroFloat64, 1e-300, 1e300, math.MaxFloat64))
	p.SetZeroCount(oneOf(rng, 0, rng.Uint64()>>40, rng.Uint64()>>rng.IntN(64)))
	sum := p.ZeroCount()
	for _, b := range []pmetric.ExponentialHistogramDataPointBuckets{p.Positive(), p.Negative()} {
		b.SetOffset(oneOf(rng, 0, rng.Int32N(400)-200, -1<<30, 1<<30-1, int32(rng.Uint32()), math.MinInt32, math.MaxInt32))
		counts := make([]uint64, oneOf(rng, 0, 0, 1, 1, 2, rng.IntN(20), rng.IntN(200), h.many()))
		for i := range counts {
			if rng.IntN(4) == 0 {
				counts[i] = oneOf(rng, 1, rng.Uint64()>>48, rng.Uint64()>>rng.IntN(64))
				sum += counts[i]
			}
		}
		b.BucketCounts().FromRaw(counts)
	}
	p.SetCount(sum) // modulo 2^64
	p.SetSum(oneOf(rng, 0, rng.NormFloat64(), math.NaN(), math.Inf(1), math.MaxFloat64))
	if rng.IntN(2) == 0 {
		p.SetMin(oneOf(rng, 0, rng.NormFloat64(), math.NaN(), math.Inf(-1)))
		p.SetMax(oneOf(rng, 0, rng.NormFloat64(), math.NaN(), math.MaxFloat64))
	}
	switch rng.IntN(12) { // what is wrong
	case 0:
		p.SetCount(rng.Uint64())
	case 1:
		p.SetZeroThreshold(oneOf(rng, math.NaN(), -1, math.Inf(1)))
	case 2:
		p.SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
	case 3:
		p.SetTimestamp(0)
	}
}

// many returns a number of buckets, sometimes nearly as many as fit into a request.
func (h *hostilePoints) many() int {
	if h.rng.IntN(500) == 0 {
		return 1_000_000
	}
	return h.rng.IntN(2000)
}

func (h *hostilePoints) explicit(p pmetric.HistogramDataPoint) {
	rng := h.rng
	bounds := make([]float64, oneOf(rng, 0, 1, rng.IntN(20), rng.IntN(2000)))
	for i := range bounds {
		bounds[i] = float64(i) * oneOf(rng, 1, 1, 1, rng.NormFloat64())
	}
	if n := len(bounds); n > 0 && rng.IntN(4) == 0 {
		bounds[n-1] = oneOf(rng, math.Inf(1), math.NaN(), math.Inf(-1))
	}
	counts := make([]uint64, max(0, len(bounds)+oneOf(rng, 1, 1, 1, 0, -1, 7)))
	for i := range counts {
		counts[i] = rng.Uint64() >> oneOf(rng, 0, 40, 40, 40)
		p.SetCount(p.Count() + counts[i])
	}
	p.ExplicitBounds().FromRaw(bounds)
	p.BucketCounts().FromRaw(counts)
	p.SetSum(float64(p.Count()))
}

// TestHostilePoints checks the variety of the random points, so that the test above cannot pass with harmless points.
func TestHostilePoints(t *testing.T) {
	h, points, text := newHostilePoints(3), 0, strings.Builder{}
	for range 200 {
		md := h.request(h.random()...)
		points += md.DataPointCount()
		json, err := (&pmetric.JSONMarshaler{}).MarshalMetrics(md)
		require.NoError(t, err)
		text.Write(json)
	}
	require.Greater(t, points, 1000)
	for _, want := range []string{`"scale":-2147483648`, `"scale":2147483647`, `"offset":-2147483648`, `"offset":2147483647`, `"zeroThreshold":1e+300`, `"zeroThreshold":"NaN"`, `"flags":1`} {
		require.Contains(t, text.String(), want)
	}
}
