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
	w = newWorld(t, func(o *Options) { o.ProcessStart, o.Reloaded = begin.Add(-time.Hour), true })
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

// A key of several metrics is named with its total, in the sentence, in the text and in the JSON.
func TestOffendingKeys(t *testing.T) {
	key := exploded
	key.Limit, key.Metric, key.Key, key.Labels, key.WhatIf = "tenant", "", "metadata.x-tenant=\u202Eacme", []gatewaystate.Label{{Name: "metric.name", Values: 300}}, nil
	all := key
	all.Limit, all.Key, all.Wanted, all.DryRun = "total", "", 50_000, true
	s := limiterState(exploded)
	s.Limiter.Keys = []gatewaystate.Offender{key, all}
	w := newWorld(t)
	w.observer.SetPipelines(Pipelines{})
	r := w.observe(s)
	require.Len(t, r.Offenders, 1)
	require.Len(t, r.Keys, 2)
	require.Equal(t, "total", r.Keys[0].Limit, "the largest first")
	require.Equal(t, "metadata.x-tenant=\uFFFDacme", r.Keys[1].Key)
	require.Nil(t, r.Components[0].Limiter.Keys)
	require.Equal(t, "Nothing lost; 1 metric and 1 key limited since 02:51 UTC; 1 key over a limit that only observes.", r.Verdict.Text)
	var text bytes.Buffer
	require.NoError(t, r.Text(&text))
	require.Contains(t, text.String(), `
  key metadata.x-tenant=`+"\uFFFD"+`acme
    48,211 series wanted, 500 admitted, limit tenant allows 500; overflow since 02:51:00 UTC
    label metric.name: 300 values
`)
	require.Contains(t, text.String(), "\n  the total of all metrics\n    50,000 series wanted, 500 admitted, limit total allows 500; overflow, dry run, since 02:51:00 UTC\n")
	require.Contains(t, text.String(), "the total of all metrics would be over limit total")
	require.Contains(t, text.String(), "key metadata.x-tenant=\uFFFDacme is over limit tenant")
	state, err := json.Marshal(r)
	require.NoError(t, err)
	require.Contains(t, string(state), `"offending_keys":[{"component":"cardinalitylimit"`)
}

// What the gateway's own endpoint and the downstream say of themselves is text like that of senders, and has no secrets.
func TestHostileTexts(t *testing.T) {
	w := newWorld(t)
	w.count("otelcol_receiver_accepted_metric_points", "receiver", "otlp\x1b[2J\n", "", 5)
	w.count("otelcol_processor_memory_limiter_refused_metric_points", "processor", "evil\x07", "", 5)
	w.observe()
	w.count("otelcol_processor_memory_limiter_refused_metric_points", "processor", "evil\x07", "", 9)
	w.count("otelcol_exporter_sent_metric_points", "exporter", "\u202Eotlp", "", 6)
	w.reading.MetricsErr = errors.New(`Get "http://localhost/m?token=hush": EOF`)
	r := w.observe(logState(gatewaystate.LogItems{}, 0, func(l *gatewaystate.Log) {
		l.Breaker, l.Since, l.LastError = "open", ptr(begin), "Post \"https://u:hush@h/v1?key=hush\": \x1b]0;evil\x07"
	}))
	var text bytes.Buffer
	require.NoError(t, r.Text(&text))
	state, err := json.Marshal(r)
	require.NoError(t, err)
	for _, all := range []string{text.String(), string(state)} {
		require.NotContains(t, all, "hush")
		for _, r := range all {
			require.True(t, r == '\n' || r >= ' ' && r != 0x7f && r != 0x202e, "%q", r)
		}
	}
	require.Equal(t, "evil\uFFFD refuses data for lack of memory", r.Verdict.Why)
}
