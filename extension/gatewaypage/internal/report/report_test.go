package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/internal/gatewaystate"
)

var update = flag.Bool("update", false, "write the golden files")

// outage is a world four minutes into an outage, with an exploded label.
func outage(t *testing.T) *Report {
	w := newWorld(t)
	down := func(l *gatewaystate.Log) {
		l.Breaker, l.Since, l.LastError = "open", ptr(begin.Add(10*time.Second)), "connection refused"
		l.SecondsToFull = ptr(6.5 * 3600)
		l.Signals[0].OldestSeconds = 230
	}
	udp := gatewaystate.State{Component: "metricsudp", UDP: &gatewaystate.UDP{
		Endpoints: []string{"127.0.0.1:8125"}, Transport: "udp", Datagrams: 1000, Bytes: 30000, Lines: 1000, Series: 7, BufferBytes: 8 << 20,
		Readers: []int64{600, 400}, Rejected: []gatewaystate.Count{{Reason: "no_type", Items: 3}},
	}}
	w.accepted("metricsudp", 900)
	w.processed("bucketing", 900, 900)
	w.processed("cardinalitylimit", 900, 500)
	w.count("otelcol_process_memory_rss_bytes", "", "", "", 120<<20)
	return w.observeFor(4*time.Minute+11*time.Second,
		limiterState(exploded), logState(gatewaystate.LogItems{Received: 510, DeliveredDirect: 100, Logged: 410}, 1<<20, down), udp)
}

func TestGolden(t *testing.T) {
	r := outage(t)
	var text bytes.Buffer
	require.NoError(t, r.Text(&text))
	state, err := json.MarshalIndent(r, "", "  ")
	require.NoError(t, err)
	for name, content := range map[string][]byte{"outage.json": append(state, '\n'), "outage.txt": text.Bytes()} {
		name = "testdata/" + name
		if *update {
			require.NoError(t, os.WriteFile(name, content, 0o644))
		}
		want, err := os.ReadFile(name)
		require.NoError(t, err)
		require.Equal(t, string(want), string(content), name)
	}
}

func TestVerdict(t *testing.T) {
	delivered := gatewaystate.LogItems{Received: 10, DeliveredDirect: 10}
	dry := exploded
	dry.DryRun = true
	since := begin
	open := func(l *gatewaystate.Log) { l.Breaker, l.Since = "open", &since }
	for name, c := range map[string]struct {
		states []gatewaystate.State
		then   []gatewaystate.State // ten seconds later
		level  Level
		losing bool
		ready  bool
		text   string
	}{
		"nothing": {
			states: nil, level: LevelOK, ready: true, text: "No component publishes its state.",
		},
		"well": {
			states: []gatewaystate.State{logState(delivered, 0)}, level: LevelOK, ready: true, text: "Nothing lost.",
		},
		"outage": {
			states: []gatewaystate.State{logState(gatewaystate.LogItems{Received: 20, DeliveredDirect: 10, Logged: 10}, 4096, open, func(l *gatewaystate.Log) { l.SecondsToFull = ptr(21_000.0) })},
			level:  LevelBusy, ready: true,
			text: "Backend of fallbacklog down for 10 s, 4.0 KiB wait in the log; nothing lost; log full in 5 h.",
		},
		"draining": {
			states: []gatewaystate.State{logState(delivered, 4096, func(l *gatewaystate.Log) { l.Since, l.SecondsToDrained = &since, ptr(90.0) })},
			level:  LevelBusy, ready: true,
			text: "Backend of fallbacklog is back, 4.0 KiB wait in the log; nothing lost; log drained in 90 s.",
		},
		"a log without an exporter": {
			states: []gatewaystate.State{logState(gatewaystate.LogItems{Received: 1, Logged: 1}, 100, open, func(l *gatewaystate.Log) { l.Exporter = "" })},
			level:  LevelOK, ready: true, text: "Nothing lost.",
		},
		"refused": {
			states: []gatewaystate.State{logState(delivered, 0, open, func(l *gatewaystate.Log) { l.Refuses = "the log is full" })},
			level:  LevelBad, ready: false,
			text: "Fallbacklog refuses new data: the log is full; backend of fallbacklog down for 10 s; nothing lost.",
		},
		"losing": {
			states: []gatewaystate.State{logState(delivered, 0)},
			then:   []gatewaystate.State{logState(gatewaystate.LogItems{Received: 1030, DeliveredDirect: 10, Dropped: 1020}, 0)},
			level:  LevelBad, losing: true, ready: true,
			text: "Data is being lost: 1,020 points dropped: the log was full, or the backend rejected them of fallbacklog in the last minute.",
		},
		"lost before the page began": {
			states: []gatewaystate.State{logState(gatewaystate.LogItems{Received: 15, DeliveredDirect: 10, Expired: 5}, 0)},
			level:  LevelBusy, ready: true, text: "Nothing lost in the last minute; earlier: 5 points expired in the log of fallbacklog.",
		},
		"returned": {
			states: []gatewaystate.State{logState(delivered, 0)},
			then:   []gatewaystate.State{logState(gatewaystate.LogItems{Received: 13, DeliveredDirect: 10, Rejected: 3}, 0)},
			level:  LevelBusy, ready: false, text: "Nothing lost; 3 points returned to the sender of fallbacklog in the last minute.",
		},
		"limited": {
			states: []gatewaystate.State{limiterState(exploded)}, level: LevelBusy, ready: true, text: "Nothing lost; 1 metric limited since 02:51 UTC.",
		},
		"dry run": {
			states: []gatewaystate.State{limiterState(dry)}, level: LevelBusy, ready: true, text: "Nothing lost; 1 metric over a limit that only observes.",
		},
		"kernel drops": {
			states: []gatewaystate.State{{Component: "metricsudp", UDP: &gatewaystate.UDP{}}},
			then:   []gatewaystate.State{{Component: "metricsudp", UDP: &gatewaystate.UDP{KernelDrops: 7}}},
			level:  LevelBad, losing: true, ready: true, text: "Data is being lost: 7 datagrams dropped by the kernel of metricsudp in the last minute.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.observer.SetPipelines(Pipelines{}) // the residual has tests of its own
			w.observe(c.states...)
			then := c.then
			if then == nil {
				then = c.states
			}
			w.now = begin.Add(10 * time.Second)
			v := w.observe(then...).Verdict
			require.Equal(t, c.text, v.Text)
			require.Equal(t, c.level, v.Level)
			require.Equal(t, c.losing, v.LosingNow)
			require.Equal(t, c.ready, v.Ready)
			require.Empty(t, v.Unknown)
		})
	}
}

func TestALossIsOverAfterAMinute(t *testing.T) {
	w := newWorld(t)
	w.observe(logState(gatewaystate.LogItems{}, 0))
	lost := logState(gatewaystate.LogItems{Received: 5, Dropped: 5}, 0)
	v := w.observe(lost).Verdict
	require.True(t, v.LosingNow)
	require.Equal(t, begin.Add(time.Second), *v.Since)
	r := w.observeFor(62*time.Second, lost)
	require.False(t, r.Verdict.LosingNow)
	require.Equal(t, LevelBusy, r.Verdict.Level)
	require.Equal(t, "nothing lost for a minute", r.Changes[0].Text)
	require.Equal(t, "data is being lost", r.Changes[1].Text)
}

func TestWhatIsNotKnownIsSaid(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.SelfMetrics = false })
	w.reading.Metrics = nil
	r := w.observe(logState(gatewaystate.LogItems{Received: 1, DeliveredDirect: 1}, 0))
	require.Contains(t, r.Verdict.Unknown[0], "self_metrics is not set")
	require.Nil(t, r.Residual)
	require.Nil(t, r.Routes[0].In)
	require.EqualValues(t, 1, r.Routes[0].Sent.Items) // what the components publish is known

	w = newWorld(t)
	w.reading.Metrics, w.reading.MetricsErr = nil, errors.New("connection refused\x1b[2J")
	r = w.observe()
	require.Contains(t, r.Verdict.Unknown[0], "self_metrics cannot be read")
	require.Equal(t, "self_metrics cannot be read: connection refused\uFFFD[2J", r.Changes[0].Text)
}

func TestResidual(t *testing.T) {
	w := newWorld(t)
	limiter := limiterState()
	limiter.Limiter.Points = gatewaystate.LimiterPoints{Passed: 700, Overflowed: 200, Emitted: 10}
	set := func(accepted float64) {
		w.accepted("metricsudp", accepted-100)
		w.accepted("otlp", 100)
		w.processed("bucketing", accepted, accepted)
		w.processed("cardinalitylimit", accepted, accepted-200)
	}
	set(900)
	items := gatewaystate.LogItems{Received: 710, DeliveredDirect: 600, DeliveredReplayed: 100, DeadLettered: 4, Dropped: 6}
	r := w.observeFor(20*time.Second, limiter, logState(items, 0))
	route := r.Routes[0]
	require.Equal(t, "metrics", route.Signal)
	require.EqualValues(t, 900, route.In.Items)
	require.EqualValues(t, 190, route.Removed.Items)
	require.EqualValues(t, 700, route.Sent.Items)
	require.EqualValues(t, 0, *route.Residual)
	require.EqualValues(t, 0, *r.Residual)

	// What is in flight for a moment is no residual.
	set(950)
	require.EqualValues(t, 0, *w.observe(limiter, logState(items, 0)).Residual)
	// What does not arrive is.
	r = w.observeFor(20*time.Second, limiter, logState(items, 0))
	require.EqualValues(t, 50, *r.Residual)
	require.Contains(t, r.Verdict.Text, "50 items that nothing accounts for")

	// Points that the log has and that were delivered nowhere are one when the log is empty.
	set(900)
	items.DeliveredReplayed = 70
	r = w.observeFor(20*time.Second, limiter, logState(items, 1000))
	require.EqualValues(t, 30, r.Routes[0].Waiting.Items)
	require.EqualValues(t, 0, *r.Residual)
	r = w.observeFor(20*time.Second, limiter, logState(items, 0))
	require.EqualValues(t, 0, r.Routes[0].Waiting.Items)
	require.EqualValues(t, 30, *r.Residual)
}

// The log of an earlier run has items that were not counted: the residual is known when it has been empty.
func TestResidualAfterAnEarlierRun(t *testing.T) {
	w := newWorld(t)
	w.observer.SetPipelines(Pipelines{All: []Pipeline{{Signal: "metrics", Receivers: []string{"otlp"}, Exporters: []string{"fallbacklog"}}}})
	found := func(items gatewaystate.LogItems, unread int64) gatewaystate.State {
		return logState(items, unread, func(l *gatewaystate.Log) { l.Signals[0].FoundBytes = 5000 })
	}
	w.accepted("otlp", 100)
	r := w.observe(found(gatewaystate.LogItems{Received: 100, DeliveredDirect: 60, DeliveredReplayed: 300}, 3000))
	require.Nil(t, r.Routes[0].Residual)
	require.Contains(t, r.Routes[0].Unknown, "earlier run")
	r = w.observeFor(20*time.Second, found(gatewaystate.LogItems{Received: 100, DeliveredDirect: 60, DeliveredReplayed: 540}, 0))
	require.EqualValues(t, 0, *r.Routes[0].Residual)
	w.accepted("otlp", 110)
	r = w.observeFor(20*time.Second, found(gatewaystate.LogItems{Received: 110, DeliveredDirect: 67, DeliveredReplayed: 540}, 0))
	require.EqualValues(t, 3, *r.Routes[0].Residual)
}

func TestResidualsThatCannotBeKnown(t *testing.T) {
	log := logState(gatewaystate.LogItems{Received: 10, DeliveredDirect: 10}, 0)
	for want, p := range map[string]Pipelines{
		"begins at connector span_metrics": {
			All:        []Pipeline{{Signal: "metrics", Receivers: []string{"span_metrics"}, Exporters: []string{"fallbacklog"}}},
			Connectors: map[string]bool{"span_metrics": true},
		},
		"begins at connector count/all": {
			All: []Pipeline{
				{Signal: "metrics", Receivers: []string{"forward"}, Exporters: []string{"fallbacklog"}},
				{Signal: "metrics", Receivers: []string{"otlp", "count/all"}, Exporters: []string{"forward"}},
			},
			Connectors: map[string]bool{"forward": true, "count/all": true},
		},
		"processor filter is in several pipelines": {All: []Pipeline{
			{Signal: "metrics", Receivers: []string{"otlp"}, Processors: []string{"filter"}, Exporters: []string{"fallbacklog"}},
			{Signal: "metrics", Receivers: []string{"metricsudp"}, Processors: []string{"filter"}, Exporters: []string{"nop"}},
		}},
		"processor interval does not count": {All: []Pipeline{
			{Signal: "metrics", Receivers: []string{"otlp"}, Processors: []string{"interval"}, Exporters: []string{"fallbacklog"}},
		}},
		"processor interval/page does not count": {
			All: []Pipeline{
				{Signal: "metrics", Receivers: []string{"forward"}, Processors: []string{"interval/page"}, Exporters: []string{"fallbacklog"}},
				{Signal: "metrics", Receivers: []string{"otlp"}, Exporters: []string{"forward"}},
			},
			Connectors: map[string]bool{"forward": true},
		},
		"processor delta_to_cumulative/a is not the only one": {All: []Pipeline{
			{Signal: "metrics", Receivers: []string{"otlp"}, Processors: []string{"delta_to_cumulative/a"}, Exporters: []string{"fallbacklog"}},
			{Signal: "metrics", Receivers: []string{"otlp"}, Processors: []string{"deltatocumulative/b"}, Exporters: []string{"nop"}},
		}},
		"exporter nop does not count": {All: []Pipeline{{Signal: "metrics", Receivers: []string{"otlp"}, Exporters: []string{"nop"}}}},
	} {
		w := newWorld(t)
		w.observer.SetPipelines(p)
		w.accepted("otlp", 10)
		r := w.observe(log)
		require.Nil(t, r.Routes[0].Residual)
		require.Contains(t, r.Routes[0].Unknown, want)
		require.Contains(t, strings.Join(r.Verdict.Unknown, "\n"), want)
	}
}

func TestReadiness(t *testing.T) {
	w := newWorld(t)
	require.True(t, w.observe().Verdict.Ready)
	refused := func(n float64) {
		w.count("otelcol_processor_memory_limiter_refused_metric_points", "processor", "memory_limiter", "", n)
	}
	refused(5)
	v := w.observe().Verdict
	require.False(t, v.Ready)
	require.Equal(t, "memory_limiter refuses data for lack of memory", v.Why)
	require.True(t, w.observeFor(7*time.Second).Verdict.Ready)
	refused(6)
	require.False(t, w.observe().Verdict.Ready)
}

func TestChanges(t *testing.T) {
	w := newWorld(t)
	w.observe(logState(gatewaystate.LogItems{}, 0))
	for _, breaker := range []string{"open", "half_open", "open", "closed"} {
		w.observe(logState(gatewaystate.LogItems{}, 0, func(l *gatewaystate.Log) { l.Breaker = breaker }))
	}
	w.observe(logState(gatewaystate.LogItems{}, 0), limiterState(exploded))
	r := w.observe(logState(gatewaystate.LogItems{}, 0), limiterState(exploded))
	var texts []string
	for _, c := range r.Changes {
		texts = append(texts, c.Text)
	}
	require.Equal(t, []string{
		"metric order.errors is over limit metric",
		"fallbacklog: breaker closed, was open", "fallbacklog: breaker open, was half_open",
		"fallbacklog: breaker half_open, was open", "fallbacklog: breaker open, was closed",
		"the gateway started, version 1.2.3",
	}, texts)

	// A page that begins long after its process was reloaded.
	w = newWorld(t, func(o *Options) { o.ProcessStart = begin.Add(-time.Hour) })
	r = w.observe()
	require.True(t, r.Instance.Reloaded)
	require.Contains(t, r.Changes[0].Text, "the configuration was loaded")
	var text bytes.Buffer
	require.NoError(t, r.Text(&text))
	require.Contains(t, text.String(), "history begins at 2026-01-02 02:51:00 UTC, as the configuration was loaded then")
}

// What senders choose reaches viewers as harmless text.
func TestHostileNames(t *testing.T) {
	o := exploded
	o.Metric = "<img src=x onerror=alert(1)>\x1b[31m"
	o.Key = "service=\u202Eevil\u2066\n\t"
	o.Labels = []gatewaystate.Label{{Name: "a\x00b", Values: 1, Examples: []string{"user@example.org", "\u202Egnp.exe", "secret-4711"}}}
	r := newWorld(t).observe(limiterState(o))
	got := r.Offenders[0]
	require.Equal(t, "<img src=x onerror=alert(1)>\uFFFD[31m", got.Metric)
	require.Equal(t, "service=\uFFFDevil\uFFFD\uFFFD\uFFFD", got.Key)
	require.Equal(t, "a\uFFFDb", got.Labels[0].Name)
	require.Equal(t, []string{"email aaaa@aaaaaaa.aaa", "text ?aaa.aaa", "text aaaaaa-0000"}, got.Labels[0].Examples)
	var text bytes.Buffer
	require.NoError(t, r.Text(&text))
	for _, r := range text.String() {
		require.True(t, r == '\n' || r >= ' ' && r != 0x7f && r != 0x202e, "%q", r)
	}
	require.NotContains(t, text.String(), "4711")

	plain := newWorld(t, func(o *Options) { o.Examples = ExamplesPlain }).observe(limiterState(o))
	require.Equal(t, "secret-4711", plain.Offenders[0].Labels[0].Examples[2])
	off := newWorld(t, func(o *Options) { o.Examples = ExamplesOff }).observe(limiterState(o))
	require.Empty(t, off.Offenders[0].Labels[0].Examples)
	require.Equal(t, "secret-4711", o.Labels[0].Examples[2]) // the snapshot is shared, and unchanged
}

func TestSavedShowsItsFormula(t *testing.T) {
	r := newWorld(t).observe(limiterState(exploded))
	require.EqualValues(t, 47711, r.Saved.Series)
	require.Nil(t, r.Saved.Cost)
	r = newWorld(t, func(o *Options) { o.CostPer1000 = 6.5 }).observe(limiterState(exploded))
	require.InDelta(t, 310.12, *r.Saved.Cost, 0.01)
	require.Contains(t, r.Saved.Formula, "cost = series / 1000 x 6.5")
	dry := limiterState()
	dry.Limiter.Limits[0].DryRun = true
	require.Zero(t, newWorld(t).observe(dry).Saved.Series)
}

// Half an hour of names that are always new: what the page remembers stays below 4 MiB.
func TestMemoryIsBoundedUnderAFloodOfNames(t *testing.T) {
	w := newWorld(t)
	flood := func(second int) gatewaystate.State {
		s := limiterState()
		for i := range 20 {
			o := exploded
			o.Metric = fmt.Sprintf("%d.%d.%s", second, i, strings.Repeat("n", 110))
			o.Key = strings.Repeat("k", 128)
			s.Limiter.Offenders = append(s.Limiter.Offenders, o)
		}
		return s
	}
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	var r *Report
	for second := range 1800 {
		r = w.observe(flood(second), logState(gatewaystate.LogItems{Received: int64(second)}, 5))
	}
	used := heap() - before
	t.Logf("%d KiB after 36,000 names", used>>10)
	require.Less(t, used, int64(4<<20))
	require.Len(t, r.Changes, maxChanges)
	require.LessOrEqual(t, len(w.observer.changes.first), maxOffenders)
	runtime.KeepAlive(w)
}

func TestNumbersForPeople(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -1000: "-1,000", 1234567: "1,234,567", -123: "-123"} {
		require.Equal(t, want, number(n))
	}
	for s, want := range map[float64]string{0: "0 s", 119.9: "119 s", 120: "2 min", 7199: "119 min", 7200: "2 h", 172799: "47 h", 172800: "2 days", 1e300: "100 years"} {
		require.Equal(t, want, Seconds(s))
	}
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 KiB", 1 << 20: "1.0 MiB", 500 << 30: "500 GiB", 1 << 60: "1048576 TiB"} {
		require.Equal(t, want, Bytes(n))
	}
}

func BenchmarkObserve(b *testing.B) {
	w := newWorld(b)
	w.accepted("metricsudp", 900)
	w.processed("bucketing", 900, 900)
	w.processed("cardinalitylimit", 900, 500)
	states := []gatewaystate.State{limiterState(exploded, exploded, exploded), logState(gatewaystate.LogItems{Received: 5}, 7)}
	b.ReportAllocs()
	for b.Loop() {
		w.observe(states...)
	}
}
