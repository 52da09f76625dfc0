package fallbacklog

import (
	"context"
	"net"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/otlpexporter"
	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"
)

// BenchmarkHealthyPairs sends batches of 1000 points over gRPC, through otlp_grpc alone and through otlp_grpc in fallbacklog.
// Rounds of 300 batches alternate. more-% is the median over the pairs of the CPU time that wrapping adds to the process. The
// server is in the process and does as little as possible: it does not decode.
func BenchmarkHealthyPairs(b *testing.B) {
	const batches = 300
	md := hourBatch()
	address := startDeaf(b)
	f := otlpexporter.NewFactory()
	cfg := f.CreateDefaultConfig()
	require.NoError(b, confmap.NewFromStringMap(map[string]any{
		"endpoint": address, "tls": map[string]any{"insecure": true},
		"sending_queue": map[string]any{"enabled": false}, "retry_on_failure": map[string]any{"enabled": false},
	}).Unmarshal(&cfg))
	ways := []exporter.Metrics{
		metricsExporterFor(b, newTestHost(), f, cfg),
		newWrapping(b, map[string]any{"exporter": map[string]any{"otlp_grpc": map[string]any{
			"endpoint": address, "tls": map[string]any{"insecure": true},
		}}}),
	}
	round := func(e exporter.Metrics) float64 {
		runtime.GC() // each round begins with the same heap
		before := resources(b)
		for range batches {
			require.NoError(b, e.ConsumeMetrics(context.Background(), md))
		}
		return 1e6 * resources(b).since(before).cpu / batches
	}
	var bare, wrapping, more []float64
	for b.Loop() {
		var us [2]float64
		for i := range ways {
			at := (i + len(more)) % len(ways)
			us[at] = round(ways[at])
		}
		bare, wrapping, more = append(bare, us[0]), append(wrapping, us[1]), append(more, 100*(us[1]/us[0]-1))
	}
	median := func(values []float64) float64 {
		slices.Sort(values)
		return values[len(values)/2]
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(bare), "bare-us/batch")
	b.ReportMetric(median(wrapping), "wrapped-us/batch")
	b.ReportMetric(median(more), "more-%")
}

// startDeaf starts a gRPC server that accepts everything.
func startDeaf(t testing.TB) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := grpc.NewServer(grpc.ForceServerCodecV2(deafCodec{}), grpc.UnknownServiceHandler(func(_ any, s grpc.ServerStream) error {
		if err := s.RecvMsg(nil); err != nil {
			return err
		}
		return s.SendMsg(nil)
	}))
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener) // ends with Stop
	}()
	t.Cleanup(func() {
		server.Stop()
		<-done
	})
	return listener.Addr().String()
}

// deafCodec ignores requests and returns empty answers, which accept everything.
type deafCodec struct{}

func (deafCodec) Name() string                         { return "proto" }
func (deafCodec) Marshal(any) (mem.BufferSlice, error) { return nil, nil }
func (deafCodec) Unmarshal(mem.BufferSlice, any) error { return nil }
