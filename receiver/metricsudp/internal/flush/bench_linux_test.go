package flush

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"golang.org/x/sys/unix"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/series"
)

// BenchmarkFlush measures a flush: the merge, the sweep and the batch, to a consumer that drops it. Two thirds of the series have
// values, in random order, as after as many lines as series. One operation is one point. The CPU time includes the garbage
// collector's during the flushes. The sender of "mutates" can offer each batch again unchanged.
func BenchmarkFlush(b *testing.B) {
	for _, kind := range []string{"c", "g", "ms"} {
		for _, n := range []int{1_000, 100_000} {
			b.Run(fmt.Sprintf("%s/series=%d", kind, n), func(b *testing.B) { benchmarkFlush(b, kind, n, false) })
			b.Run(fmt.Sprintf("%s/series=%d/mutates", kind, n), func(b *testing.B) { benchmarkFlush(b, kind, n, true) })
		}
	}
}

func benchmarkFlush(b *testing.B, kind string, n int, mutates bool) {
	registry := series.NewRegistry(series.Options{
		Limits:   line.Limits{NameBytes: 512, TagBytes: series.MaxFieldBytes, MinRate: 1e-6},
		MaxBytes: 1 << 30, MaxSeries: n, MaxAliases: 2 * n, MaxTags: 64, Tables: 1,
		Monotonic: true, IntCounters: true, ExpirySwaps: 300,
	})
	source := &tableSource{Table: series.NewTable(registry), retired: make(chan *series.Epoch, 1)}
	clock := &stoppedClock{now: epochStart}
	flushed := make(chan struct{}, 1)
	f := New(Options{
		Registry: registry, Sources: []Source{source}, Clock: clock,
		Builder: &Builder{Resource: pcommon.NewResource(), ScopeName: "scope", IntCounters: true, TimerUnit: "ms"},
		Sender: NewSender(SenderOptions{
			Consume:   func(context.Context, Batch, int) error { return nil },
			Retryable: func(error) bool { return false },
			Mutates:   mutates,
		}),
		Received:       func() int64 { return receivedAtFlush },
		OnReport:       func(*Report) { flushed <- struct{}{} },
		OnSourcesEnded: func() error { return nil },
	})
	interval := 0
	flush := func() {
		interval++
		f.flush(epochStart.Add(time.Duration(interval) * time.Second))
		<-flushed
		f.Sender.idle <- <-f.Sender.idle
	}
	random := rand.New(rand.NewPCG(1, 2))
	lines := make([][]byte, n)
	for i := range lines {
		lines[i] = fmt.Appendf(nil, "service.requests.%03d:1|%s|#env:prod,region:eu1,pod:p-%05d,code:200", i%100, kind, i)
	}
	send := func(number int) {
		for _, i := range random.Perm(n)[:number] {
			source.Datagram(lines[i], false, 1, netip.Addr{})
		}
	}
	send(n)
	flush()
	b.ReportAllocs()
	b.ResetTimer()
	points, used := 0, time.Duration(0)
	for points < b.N {
		b.StopTimer()
		send(2 * n / 3)
		points += 2 * n / 3
		b.StartTimer()
		before := cpuTime(b)
		flush()
		used += cpuTime(b) - before
	}
	b.StopTimer()
	b.ReportMetric(float64(used.Nanoseconds())/float64(points), "cpu-ns/point")
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	go f.Run()
	if err := f.Shutdown(ended); err != nil {
		b.Fatal(err)
	}
}

func cpuTime(b *testing.B) time.Duration {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
