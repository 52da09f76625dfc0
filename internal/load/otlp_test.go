package load_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/otelcol-custom/otelcol-custom/internal/load"
	"github.com/otelcol-custom/otelcol-custom/internal/otlptest"
)

// thirds accepts every request except each third one, and counts points.
type thirds struct{ requests, points atomic.Int64 }

func (s *thirds) answer(_ context.Context, r otlptest.Request) error {
	if s.requests.Add(1)%3 == 0 {
		return status.Error(codes.Unavailable, "each third")
	}
	s.points.Add(int64(r.Metrics.DataPointCount()))
	return nil
}

// The ledger agrees with the server's counts, for both protocols.
func TestOTLPLedgerIsWhatArrived(t *testing.T) {
	for _, protocol := range []string{load.OTLPOverGRPC, load.OTLPOverHTTP} {
		t.Run(protocol, func(t *testing.T) {
			s := &thirds{}
			p := load.DefaultOTLPProfile()
			p.Protocol, p.Connections, p.Workers, p.Rate, p.Duration = protocol, 5, 4, 500, 300*time.Millisecond
			p.Endpoint = otlptest.Start(t, s.answer, otlptest.Options{}).Addr
			l, err := load.RunOTLP(t.Context(), p, nil)
			require.NoError(t, err)
			assert.EqualValues(t, 150, l.Requests, "500 per second for 0.3 s")
			assert.EqualValues(t, s.requests.Load(), l.Requests)
			assert.EqualValues(t, 100, l.Acknowledged)
			assert.EqualValues(t, 50, l.Refused)
			assert.Zero(t, l.Failed)
			assert.Zero(t, l.Unsent)
			assert.InDelta(t, float64(s.points.Load()), l.AcknowledgedSum, 0)

			assert.LessOrEqual(t, l.P50, l.P95)
			assert.LessOrEqual(t, l.P95, l.P99)
			assert.LessOrEqual(t, l.P99, l.Max)
			assert.Positive(t, l.P50)
		})
	}
}

// When a server stalls, requests are sent late. Their latency counts from the time at which they were due.
func TestLatencyCountsFromTheDueTime(t *testing.T) {
	var first atomic.Bool
	release := time.After(200 * time.Millisecond)
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		if !first.Swap(true) {
			<-release
		}
	}))
	defer server.Close()
	p := load.DefaultOTLPProfile()
	p.Protocol, p.Endpoint = load.OTLPOverHTTP, strings.TrimPrefix(server.URL, "http://")
	p.Workers, p.Connections, p.Rate, p.Duration = 1, 1, 100, 200*time.Millisecond
	l, err := load.RunOTLP(t.Context(), p, nil)
	require.NoError(t, err)
	assert.EqualValues(t, 20, l.Requests)
	assert.Greater(t, l.P50, 50.0, "requests behind the first one were due while it stalled")
}

// Requests for which a server is too slow are not sent late without a limit: they count as unsent.
func TestRequestsForWhichTheServerIsTooSlowAreUnsent(t *testing.T) {
	ended := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-ended:
		case <-r.Context().Done():
		}
	}))
	defer server.Close()
	defer close(ended)
	p := load.DefaultOTLPProfile()
	p.Protocol, p.Endpoint = load.OTLPOverHTTP, strings.TrimPrefix(server.URL, "http://")
	p.Workers, p.Connections, p.Rate, p.Duration, p.Timeout = 1, 1, 1000, 50*time.Millisecond, 2*time.Second
	l, err := load.RunOTLP(t.Context(), p, nil)
	require.NoError(t, err)
	assert.EqualValues(t, 1, l.Failed)
	assert.EqualValues(t, 49, l.Unsent)
}

// If Rate is 0, a worker pauses after each request without an answer.
func TestWithoutAServerAWorkerPauses(t *testing.T) {
	p := load.DefaultOTLPProfile()
	p.Endpoint, p.Workers, p.Connections, p.Rate, p.Duration = "127.0.0.1:0", 2, 2, 0, 250*time.Millisecond
	l, err := load.RunOTLP(t.Context(), p, nil)
	require.NoError(t, err)
	assert.Equal(t, l.Requests, l.Failed)
	assert.LessOrEqual(t, l.Requests, uint64(2*3), "each worker dials at 0, 100 and 200 ms at most")
	assert.Positive(t, l.Requests)
}

func TestOTLPProfileIsValidated(t *testing.T) {
	for want, change := range map[string]func(*load.OTLPProfile){
		`protocol: must be one of otlp_grpc, otlp_http (got "udp")`: func(p *load.OTLPProfile) { p.Protocol = "udp" },
		`endpoint: must be host:port (got "")`:                      func(p *load.OTLPProfile) { p.Endpoint = "" },
		`prefix: must be a metric name (got "")`:                    func(p *load.OTLPProfile) { p.Prefix = "" },
		`points: must be in 1..10000 (got 0)`:                       func(p *load.OTLPProfile) { p.Points = 0 },
		`series: must be at least points = 10 (got 9)`:              func(p *load.OTLPProfile) { p.Series = 9 },
		`workers: must be in 1..connections = 200 (got 0)`:          func(p *load.OTLPProfile) { p.Workers = 0 },
		`connections: must be in 1..4096 (got 0)`:                   func(p *load.OTLPProfile) { p.Connections = 0 },
		`rate: must not be negative (got -1)`:                       func(p *load.OTLPProfile) { p.Rate = -1 },
		`duration: must be positive (got 0s)`:                       func(p *load.OTLPProfile) { p.Duration = 0 },
		`timeout: must be positive (got 0s)`:                        func(p *load.OTLPProfile) { p.Timeout = 0 },
	} {
		p := load.DefaultOTLPProfile()
		change(&p)
		_, err := load.RunOTLP(t.Context(), p, nil)
		assert.EqualError(t, err, want)
	}
}
