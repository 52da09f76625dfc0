package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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
