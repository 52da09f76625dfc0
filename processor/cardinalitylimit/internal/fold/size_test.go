package fold

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/budget"
)

func heap() int64 {
	runtime.GC() // what pools have is gone after the second collection
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// The reserved memory covers the real size of series with any content.
func TestReservedIsWhatSeriesTake(t *testing.T) {
	for name, describe := range map[string]func(s *Series, text func() string){
		"bare": func(*Series, func() string) {},
		"long texts": func(s *Series, text func() string) {
			s.Name, s.Description, s.Unit = text(), text(), text()
			s.Scope.SetName(text())
			s.Scope.SetVersion(text())
			s.Metadata = map[string][]string{text(): {text(), text()}}
		},
		"many attributes": func(s *Series, text func() string) {
			for _, m := range []pcommon.Map{s.Resource.Attributes(), s.Scope.Attributes(), s.Attributes} {
				for range 33 {
					m.PutStr(text(), text())
				}
			}
		},
		"small values": func(s *Series, _ func() string) {
			for i := range 100 {
				s.Resource.Attributes().PutInt(fmt.Sprint(i), int64(i))
			}
		},
		"nested values": func(s *Series, text func() string) {
			m := s.Resource.Attributes().PutEmptyMap("map")
			list := s.Resource.Attributes().PutEmptySlice("list")
			bytes := s.Resource.Attributes().PutEmptyBytes("bytes")
			for range 50 {
				m.PutStr(text(), text())
				list.AppendEmpty().SetStr(text())
				bytes.Append([]byte(text())...)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			const n = 1_000
			table, budget := newTable(n)
			before := heap()
			texts := 0
			for id := range uint64(n) {
				a := table.findOrAdd(id, Value{}, func() Series {
					s := series(id, pmetric.MetricTypeGauge, pmetric.AggregationTemporalityUnspecified, false)
					describe(&s, func() string {
						texts++
						return fmt.Sprint(texts, strings.Repeat("x", 90))
					})
					return s
				})
				require.NotNil(t, a)
				a.unpin(0)
			}
			used := heap() - before
			t.Logf("%d B a series used, %d B reserved", used/n, budget.Used()/n)
			require.LessOrEqual(t, used, budget.Used())
			require.Less(t, budget.Used(), 3*used, "and is no wild guess")

			table.opts.Idle = 0
			table.Sweep()
			require.Zero(t, budget.Used())
			runtime.KeepAlive(table)
		})
	}
}

// A series that does not fit leaves no state.
func TestSeriesBeyondTheMemoryLimit(t *testing.T) {
	table, _ := newTable(10)
	budget := budget.New(2_000)
	table.opts.Budget = budget
	b := table.Batch()
	b.Add(Point{Target: 1, Stream: 1, Value: Value{&number{i: 1}}}, func() Series {
		s := series(1, pmetric.MetricTypeGauge, pmetric.AggregationTemporalityUnspecified, false)
		s.Resource.Attributes().PutStr("long", strings.Repeat("x", 2_000))
		return s
	})
	b.Commit()
	require.Equal(t, Stats{StatRefused: 1, StatRefusedStreams: 1}, table.TakeStats())
	require.Zero(t, budget.Used())
	require.Zero(t, table.Tracked())
}
