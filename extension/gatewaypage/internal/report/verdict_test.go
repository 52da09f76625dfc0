package report

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/internal/gatewaystate"
)

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
			text: "Data is being lost: 1,020 points dropped: the log was full, or the backend rejected them (fallbacklog) in the last minute.",
		},
		"lost before the page began": {
			states: []gatewaystate.State{logState(gatewaystate.LogItems{Received: 15, DeliveredDirect: 10, Expired: 5}, 0)},
			level:  LevelBusy, ready: true, text: "Nothing lost in the last minute; earlier: 5 points expired in the log (fallbacklog).",
		},
		"returned": {
			states: []gatewaystate.State{logState(delivered, 0)},
			then:   []gatewaystate.State{logState(gatewaystate.LogItems{Received: 13, DeliveredDirect: 10, Rejected: 3}, 0)},
			level:  LevelBusy, ready: false, text: "Nothing lost; 3 points returned to the sender (fallbacklog) in the last minute.",
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
			level:  LevelBad, losing: true, ready: true, text: "Data is being lost: 7 datagrams dropped by the kernel (metricsudp) in the last minute.",
		},
		"one line": {
			states: []gatewaystate.State{{Component: "metricsudp", UDP: &gatewaystate.UDP{}}},
			then:   []gatewaystate.State{{Component: "metricsudp", UDP: &gatewaystate.UDP{Rejected: []gatewaystate.Count{{Reason: "no_value", Items: 1}}}}},
			level:  LevelBusy, ready: true, text: "Nothing lost; 1 line that cannot be read (metricsudp) in the last minute.",
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
