package fallbacklog

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/record"
)

// service returns a resource like that of an instrumented service in Kubernetes.
func service(r *rand.Rand, res pcommon.Resource) {
	res.Attributes().PutStr("service.name", fmt.Sprint("checkout-", r.IntN(5)))
	res.Attributes().PutStr("service.instance.id", fmt.Sprintf("%016x", r.Uint64()))
	res.Attributes().PutStr("k8s.pod.name", fmt.Sprintf("checkout-7d9f8b6c5d-%05x", r.IntN(1<<20)))
	res.Attributes().PutStr("k8s.namespace.name", "shop")
	res.Attributes().PutStr("telemetry.sdk.name", "opentelemetry")
	res.Attributes().PutStr("telemetry.sdk.language", "go")
}

func requestOf(r *rand.Rand, a pcommon.Map) {
	a.PutStr("http.request.method", []string{"GET", "POST", "PUT"}[r.IntN(3)])
	a.PutStr("http.route", fmt.Sprintf("/api/v1/resource-%d/{id}", r.IntN(40)))
	a.PutInt("http.response.status_code", []int64{200, 200, 200, 404, 500}[r.IntN(5)])
	a.PutStr("server.address", fmt.Sprintf("10.0.%d.%d", r.IntN(4), r.IntN(256)))
}

// benchPoints are 1,000 data points: sums and gauges of ten services, each with four attributes.
func benchPoints(r *rand.Rand) pmetric.Metrics {
	md := pmetric.NewMetrics()
	now := pcommon.NewTimestampFromTime(time.Unix(1_770_000_000, 0))
	for range 10 {
		rm := md.ResourceMetrics().AppendEmpty()
		service(r, rm.Resource())
		ms := rm.ScopeMetrics().AppendEmpty().Metrics()
		for k := range 10 {
			m := ms.AppendEmpty()
			m.SetName(fmt.Sprint("http.server.request.count.", k))
			m.SetUnit("{request}")
			s := m.SetEmptySum()
			s.SetIsMonotonic(true)
			s.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
			for range 10 {
				p := s.DataPoints().AppendEmpty()
				p.SetTimestamp(now)
				p.SetStartTimestamp(now - 3_600_000_000_000)
				p.SetIntValue(r.Int64N(1_000_000))
				requestOf(r, p.Attributes())
			}
		}
	}
	return md
}

// benchSpans are 1,000 spans of ten services, each with seven attributes.
func benchSpans(r *rand.Rand) ptrace.Traces {
	td := ptrace.NewTraces()
	now := pcommon.NewTimestampFromTime(time.Unix(1_770_000_000, 0))
	for range 10 {
		rs := td.ResourceSpans().AppendEmpty()
		service(r, rs.Resource())
		spans := rs.ScopeSpans().AppendEmpty().Spans()
		for range 100 {
			s := spans.AppendEmpty()
			var trace pcommon.TraceID
			var span, parent pcommon.SpanID
			for k := range trace {
				trace[k] = byte(r.Uint32())
			}
			for k := range span {
				span[k], parent[k] = byte(r.Uint32()), byte(r.Uint32())
			}
			s.SetTraceID(trace)
			s.SetSpanID(span)
			s.SetParentSpanID(parent)
			s.SetName(fmt.Sprint("GET /api/v1/resource-", r.IntN(40)))
			s.SetKind(ptrace.SpanKindServer)
			s.SetStartTimestamp(now + pcommon.Timestamp(r.Int64N(1e9)))
			s.SetEndTimestamp(s.StartTimestamp() + pcommon.Timestamp(r.Int64N(1e8)))
			requestOf(r, s.Attributes())
			s.Attributes().PutStr("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36")
			s.Attributes().PutStr("client.address", fmt.Sprintf("192.168.%d.%d", r.IntN(256), r.IntN(256)))
			s.Attributes().PutStr("enduser.id", fmt.Sprintf("%08x", r.Uint32()))
		}
	}
	return td
}

// The benchmark measures Append and Split of a frame with 1,000 items.
func BenchmarkFrames(b *testing.B) {
	key, err := record.NewKey(keyA)
	require.NoError(b, err)
	r := rand.New(rand.NewPCG(1, 2))
	points, err := metrics.proto.marshal(benchPoints(r))
	require.NoError(b, err)
	spans, err := traces.proto.marshal(benchSpans(r))
	require.NoError(b, err)
	for _, c := range []struct {
		name  string
		codec record.Frames
	}{{"plain", record.Frames{}}, {"zstd", record.Frames{Zstd: true}}, {"aes", record.Frames{Key: key}}, {"zstd+aes", record.Frames{Zstd: true, Key: key}}} {
		for name, payload := range map[string][]byte{"points": points, "spans": spans} {
			var frame []byte
			b.Run("append/"+c.name+"/"+name, func(b *testing.B) {
				b.SetBytes(int64(len(payload)))
				b.ReportAllocs()
				for b.Loop() {
					frame, err = c.codec.Append(frame[:0], payload, record.Meta{Signal: "x", Items: 1000})
					require.NoError(b, err)
				}
				b.ReportMetric(float64(len(frame))/1000, "B/item")
			})
			b.Run("split/"+c.name+"/"+name, func(b *testing.B) {
				b.SetBytes(int64(len(payload)))
				b.ReportAllocs()
				for b.Loop() {
					_, _, err := c.codec.Split(frame)
					require.NoError(b, err)
				}
			})
		}
	}
}
