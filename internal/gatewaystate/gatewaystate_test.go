package gatewaystate

import (
	"fmt"
	"math"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

var begin = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

type source struct {
	name  string
	reads int
}

func (s *source) GatewayState() State {
	s.reads++
	return State{Component: s.name}
}

type page struct {
	*Sources
	examples bool
}

func (p page) KeepsExamples() bool { return p.examples }

func TestComponentsFindThePage(t *testing.T) {
	require.Empty(t, Find(map[string]any(nil)))
	none := Find(map[string]any{"health_check": 1})
	require.False(t, none.KeepsExamples())
	none.Register(&source{})() // without a page nothing happens

	one, other := page{NewSources(time.Now), false}, page{NewSources(time.Now), true}
	found := Find(map[string]any{"health_check": 1, "gatewaypage": one, "gatewaypage/2": other})
	require.True(t, found.KeepsExamples())
	leave := found.Register(&source{name: "bucketing"})
	require.Len(t, one.Snapshot().States, 1)
	require.Len(t, other.Snapshot().States, 1)
	leave()
	require.Empty(t, one.Snapshot().States)
	require.Empty(t, other.Snapshot().States)
}

func TestViewersShareOneSnapshotPerSecond(t *testing.T) {
	now := begin
	sources := NewSources(func() time.Time { return now })
	s, second := &source{name: "b"}, &source{name: "a"}
	sources.Register(s)
	leave := sources.Register(second)
	for range 50 {
		sources.Snapshot()
	}
	require.Equal(t, 1, s.reads)
	require.Equal(t, "a", sources.Snapshot().States[0].Component)
	now = now.Add(Freshness)
	sources.Snapshot()
	require.Equal(t, 2, s.reads)
	leave()
	require.Len(t, sources.Snapshot().States, 1) // a component that has gone is not shown for a second more
	now = now.Add(-time.Hour)
	sources.Snapshot()
	require.Equal(t, 4, s.reads) // a clock that goes back does not freeze the page
}

func TestSourcesComeAndGoWhileTheyAreRead(t *testing.T) {
	sources := NewSources(time.Now)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				sources.Register(&source{})()
				sources.Snapshot()
			}
		})
	}
	wg.Wait()
	require.Empty(t, sources.Snapshot().States)
}

func TestHistoryKeepsOneHour(t *testing.T) {
	h := NewHistory(begin)
	h.Add(begin, "in", 1)
	h.Add(begin.Add(4*time.Second), "in", 2) // the same step
	h.Add(begin.Add(15*time.Second), "in", 3)
	first, strips := h.Strips()
	require.Equal(t, begin, first)
	require.Len(t, strips, 1)
	require.Equal(t, "[2 NaN NaN 3]", fmt.Sprint(strips[0].Values))

	h.Add(begin, "in", 4) // a clock that goes back
	_, strips = h.Strips()
	require.Equal(t, "[2 NaN NaN 4]", fmt.Sprint(strips[0].Values))

	h.Add(begin.Add(time.Hour), "out", 5)
	first, strips = h.Strips()
	require.Equal(t, begin.Add(Step), first)
	require.Len(t, strips[0].Values, 720)
	require.InDelta(t, 4, strips[0].Values[2], 0)
	require.True(t, math.IsNaN(float64(strips[0].Values[719])))
	require.InDelta(t, 5, strips[1].Values[719], 0)

	h.Add(begin.Add(1000*time.Hour), "out", 6) // a machine that slept
	_, strips = h.Strips()
	require.InDelta(t, 6, strips[1].Values[719], 0)
	require.True(t, math.IsNaN(float64(strips[1].Values[0])))
}

// A flood of names, each as long as can be, does not grow the history beyond its bound.
func TestHistoryIsBounded(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	h := NewHistory(begin)
	for step := range 800 {
		for i := range 200 {
			h.Add(begin.Add(time.Duration(step)*Step), fmt.Sprint(i, strings.Repeat("é", 1<<10)), 1)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	_, strips := h.Strips()
	require.Len(t, strips, MaxSeries)
	require.Equal(t, 800*(200-MaxSeries), h.LeftOff())
	require.Less(t, int64(after.HeapAlloc)-int64(before.HeapAlloc), int64(512<<10))
}

func TestTextsAreClipped(t *testing.T) {
	long := strings.Repeat("é", 1000)
	require.LessOrEqual(t, len(Clip(long)), MaxText)
	require.True(t, utf8.ValidString(Clip(long)))
	require.Equal(t, "a", Clip("a\xff"))
}

func TestCredentialsOfURLsAreMasked(t *testing.T) {
	for text, masked := range map[string]string{
		"":                                  "",
		"a@b ? c":                           "a@b ? c",
		"http://a/b?":                       "http://a/b?",
		"https://u:p@h":                     "https://[masked]@h",
		"https://u:p/?#[@p@h:1/x?token=y&z": "https://[masked]@h:1/x?[masked]",
		`Post "https://h/v1?api_key=x": dial tcp 10.0.0.1:443: connect: connection refused`: `Post "https://h/v1?[masked]": dial tcp 10.0.0.1:443: connect: connection refused`,
		"a://u@h, b://v:w@i and c://j": "a://[masked]@h, b://[masked]@i and c://j",
	} {
		require.Equal(t, masked, MaskURLs(text))
	}
}

func TestMaskShowsNoValue(t *testing.T) {
	for value, masked := range map[string]string{
		"":                                     "text ",
		"abc-123":                              "text aaa-000",
		"Order 77":                             "text Aaaaa 00",
		"550e8400-e29b-41d4-a716-446655440000": "uuid 000a0000-a00a-00a0-a000-00000000…",
		"jane.doe@example.org":                 "email aaaa.aaa@aaaaaaa.aaa",
		"-12.5e3":                              "number -00.0a0",
		"<img onerror=x>":                      "text <aaa aaaaaaa=a>",
		"\u202Eשלום":                           "text ?aaaa",
		strings.Repeat("x", 1<<16):             "text aaaaaaaa…",
	} {
		require.Equal(t, masked, Mask(value))
	}
	require.Less(t, len(Mask(strings.Repeat("a1", 1<<15))), 100)
}
