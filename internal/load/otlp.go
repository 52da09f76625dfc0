package load

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"

	"github.com/otelcol-custom/otelcol-custom/internal/wait"
)

// Protocols of OTLPProfile.
const (
	OTLPOverGRPC = "otlp_grpc"
	OTLPOverHTTP = "otlp_http"
)

// OTLPProfile describes OTLP requests to send. Every request has Points delta points of the counter Prefix.otlp, each with
// the value 1. Zero values are not defaults: start from DefaultOTLPProfile.
type OTLPProfile struct {
	Protocol    string        // OTLPOverGRPC or OTLPOverHTTP
	Endpoint    string        // host:port
	Prefix      string        // first part of the metric's name
	Series      int           // distinct series over all requests
	Points      int           // per request
	Workers     int           // maximum number of requests in flight, at most one per connection
	Connections int           // over which the requests are distributed in turn
	Rate        float64       // requests per second; with 0 each worker sends again when it has its answer
	Duration    time.Duration // of sending
	Timeout     time.Duration // of one request
}

// DefaultOTLPProfile returns the load of requirement R11.
func DefaultOTLPProfile() OTLPProfile {
	return OTLPProfile{
		Protocol: OTLPOverGRPC, Endpoint: "localhost:4317", Prefix: "load", Series: 1000, Points: 10,
		Workers: 32, Connections: 200, Rate: 12_000, Duration: 10 * time.Second, Timeout: 10 * time.Second,
	}
}

// Validate reports the first invalid field.
func (p OTLPProfile) Validate() error {
	switch {
	case p.Protocol != OTLPOverGRPC && p.Protocol != OTLPOverHTTP:
		return fmt.Errorf("protocol: must be one of otlp_grpc, otlp_http (got %q)", p.Protocol)
	case p.Endpoint == "":
		return fmt.Errorf("endpoint: must be host:port (got %q)", p.Endpoint)
	case p.Prefix == "":
		return fmt.Errorf("prefix: must be a metric name (got %q)", p.Prefix)
	case p.Points < 1 || p.Points > 10_000:
		return fmt.Errorf("points: must be in 1..10000 (got %d)", p.Points)
	case p.Series < p.Points:
		return fmt.Errorf("series: must be at least points = %d (got %d)", p.Points, p.Series)
	case p.Connections < 1 || p.Connections > 4096:
		return fmt.Errorf("connections: must be in 1..4096 (got %d)", p.Connections)
	case p.Workers < 1 || p.Workers > p.Connections:
		return fmt.Errorf("workers: must be in 1..connections = %d (got %d)", p.Connections, p.Workers)
	case !(p.Rate >= 0):
		return fmt.Errorf("rate: must not be negative (got %v)", p.Rate)
	case p.Duration <= 0:
		return fmt.Errorf("duration: must be positive (got %v)", p.Duration)
	case p.Timeout <= 0:
		return fmt.Errorf("timeout: must be positive (got %v)", p.Timeout)
	}
	return nil
}

// OTLPLedger counts requests by their answers. Requests = Acknowledged + Refused + Failed. A failed request has no answer
// and may have arrived.
type OTLPLedger struct {
	Protocol          string  `json:"protocol"`
	Endpoint          string  `json:"endpoint"`
	Metric            string  `json:"metric"`
	ElapsedSeconds    float64 `json:"elapsed_seconds"`
	RequestsPerSecond float64 `json:"requests_per_second"`
	Requests          uint64  `json:"requests"`
	Acknowledged      uint64  `json:"acknowledged"`
	Refused           uint64  `json:"refused"`
	Failed            uint64  `json:"failed"`
	Unsent            uint64  `json:"unsent"`           // requests that were due, but not sent because all workers waited for answers
	AcknowledgedSum   float64 `json:"acknowledged_sum"` // sum of the values of acknowledged points

	// P50 to Max are the latencies of acknowledged requests in milliseconds. A latency counts from the time at which a
	// request was due. With Rate 0 that is the time at which it was sent.
	P50, P95, P99, Max float64
}

// maxLateness bounds for how long after the duration late requests are still sent.
const maxLateness = time.Second

// failurePause is the pause after a request without an answer if Rate is 0. A missing server refuses connections at once, so a worker
// without a pause would need a core.
const failurePause = 100 * time.Millisecond

// answer is the result of a request.
type answer int

const (
	acknowledged answer = iota
	refused
	failed
)

// RunOTLP sends the requests of p until its duration or ctx ends, waits for the outstanding answers, and returns the
// ledger. Every ten seconds it calls progress, which may be nil, with the number of requests so far.
func RunOTLP(ctx context.Context, p OTLPProfile, progress func(requests uint64)) (OTLPLedger, error) {
	if err := p.Validate(); err != nil {
		return OTLPLedger{}, err
	}
	requests, err := p.encode()
	if err != nil {
		return OTLPLedger{}, err
	}
	s := &otlpSender{OTLPProfile: p, requests: requests, idle: make(chan *otlpConnection, p.Connections), start: time.Now()}
	for range p.Connections {
		s.idle <- &otlpConnection{endpoint: p.Endpoint, protocol: protocols[p.Protocol]}
	}
	stop := report(progress, s.next.Load)
	workers := make([]otlpWorker, p.Workers)
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() { workers[i].run(ctx, s) })
	}
	wg.Wait()
	stop()
	for range p.Connections {
		(<-s.idle).close()
	}
	return s.ledger(workers), nil
}

// encode returns requests that together contain every series.
func (p OTLPProfile) encode() ([][]byte, error) {
	var out [][]byte
	now := pcommon.NewTimestampFromTime(time.Now())
	for first := 0; first < p.Series; first += p.Points {
		md := pmetric.NewMetrics()
		rm := md.ResourceMetrics().AppendEmpty()
		rm.Resource().Attributes().PutStr("service.name", "metricsload")
		m := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
		m.SetName(p.metric())
		sum := m.SetEmptySum()
		sum.SetIsMonotonic(true)
		sum.SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
		for i := range p.Points {
			point := sum.DataPoints().AppendEmpty()
			point.SetStartTimestamp(now)
			point.SetTimestamp(now + 1)
			point.SetIntValue(1)
			point.Attributes().PutStr("series", fmt.Sprint((first+i)%p.Series))
		}
		encoded, err := pmetricotlp.NewExportRequestFromMetrics(md).MarshalProto()
		if err != nil {
			return nil, err
		}
		out = append(out, encoded)
	}
	return out, nil
}

func (p OTLPProfile) metric() string { return p.Prefix + ".otlp" }

// otlpSender is the state that all workers share.
type otlpSender struct {
	OTLPProfile
	requests [][]byte
	idle     chan *otlpConnection // connections without a request, the least recently used first
	start    time.Time
	next     atomic.Uint64 // index of the next request
}

// otlpWorker sends one request at a time.
type otlpWorker struct {
	answers   [failed + 1]uint64
	latencies []time.Duration // of acknowledged requests
}

func (w *otlpWorker) run(ctx context.Context, s *otlpSender) {
	for {
		index := s.next.Add(1) - 1
		due := time.Now()
		if s.Rate > 0 {
			due = s.start.Add(time.Duration(float64(index) / s.Rate * float64(time.Second)))
		}
		if due.Sub(s.start) >= s.Duration || time.Since(s.start) > s.Duration+maxLateness || ctx.Err() != nil {
			return
		}
		if wait.For(ctx.Done(), time.Until(due)) {
			return
		}
		c := <-s.idle
		a := c.send(s.requests[index%uint64(len(s.requests))], s.Timeout) // in full, also if ctx ends meanwhile
		s.idle <- c
		w.answers[a]++
		if a == acknowledged {
			w.latencies = append(w.latencies, time.Since(due))
		}
		if a == failed && s.Rate == 0 {
			wait.For(ctx.Done(), failurePause)
		}
	}
}

func (s *otlpSender) ledger(workers []otlpWorker) OTLPLedger {
	l := OTLPLedger{Protocol: s.Protocol, Endpoint: s.Endpoint, Metric: s.metric(), ElapsedSeconds: time.Since(s.start).Seconds()}
	var all []time.Duration
	for _, w := range workers {
		l.Acknowledged += w.answers[acknowledged]
		l.Refused += w.answers[refused]
		l.Failed += w.answers[failed]
		all = append(all, w.latencies...)
	}
	l.Requests = l.Acknowledged + l.Refused + l.Failed
	if due := uint64(math.Ceil(s.Rate * s.Duration.Seconds())); due > l.Requests {
		l.Unsent = due - l.Requests
	}
	l.RequestsPerSecond = float64(l.Acknowledged) / l.ElapsedSeconds
	l.AcknowledgedSum = float64(l.Acknowledged) * float64(s.Points)
	if len(all) > 0 {
		slices.Sort(all)
		at := func(q float64) float64 {
			return float64(all[min(len(all)-1, int(q*float64(len(all))))]) / float64(time.Millisecond)
		}
		l.P50, l.P95, l.P99, l.Max = at(0.5), at(0.95), at(0.99), at(1)
	}
	return l
}
