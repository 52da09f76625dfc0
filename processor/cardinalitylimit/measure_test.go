package cardinalitylimit

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// explode offers n series of requests that differ in their error text, each of one of 7 routes.
func (r *rig) explode(n int) {
	b := newBatch("orders")
	points := b.sum("requests", delta, true)
	for i := range n {
		put(points, 1, r.clock.now(), r.clock.now(), "route", fmt.Sprint(i%7), "error", fmt.Sprintf("no stock for order %d", i))
	}
	r.send(b.md)
}

func watched(t *testing.T, edit func(*Config)) (*rig, *observer.ObservedLogs) {
	r := newRig(t, edit)
	core, logs := observer.New(zapcore.WarnLevel)
	r.settings.Logger = zap.New(core)
	return r, logs
}

// take returns the records on offenders since the last call.
func take(logs *observer.ObservedLogs) (named []observer.LoggedEntry) {
	for _, e := range logs.TakeAll() {
		if strings.HasPrefix(e.Message, "Metric ") {
			named = append(named, e)
		}
	}
	return named
}

// What exploded is named with its worst label, as metrics and in one record a window.
func TestOffendersAreNamed(t *testing.T) {
	r, logs := watched(t, nil)
	r.explode(3_500)
	r.maintain()
	named := take(logs)
	require.Len(t, named, 1)
	record := named[0].ContextMap()
	require.Regexp(t, `^Metric requests \(resource.service.name=orders\): about 3[3-7]\d0 series wanted, limit 500, label error has about (2[7-9]|3[0-3])\d0 values$`,
		named[0].Message)
	o := record
	require.Equal(t, "metric", o["limit"])
	require.Equal(t, "requests", o["metric"])
	require.Equal(t, "resource.service.name=orders", o["key"])
	require.EqualValues(t, 500, o["max"])
	labels := o["labels"].([]any)
	require.Len(t, labels, 2)
	require.Equal(t, "error", labels[0].(map[string]any)["label"])
	require.NotContains(t, labels[0], "examples", "values of labels may identify people")
	require.Equal(t, "route", labels[1].(map[string]any)["label"])
	require.EqualValues(t, 7, labels[1].(map[string]any)["values"])

	require.InEpsilon(t, 3_000, r.counter("rejected_series_estimate", "limit", "metric"), 0.07)
	require.InEpsilon(t, 3_500, r.counter("offender_series", "limit", "metric", "metric", "requests"), 0.1)
	require.InEpsilon(t, 3_000, r.counter("offender_label_values", "metric", "requests", "label", "error"), 0.14)
	require.EqualValues(t, 7, r.counter("offender_label_values", "metric", "requests", "label", "route",
		"key", "resource.service.name=orders"))

	// Not again in this window, and in the next only if it goes on.
	r.clock.add(59 * time.Minute)
	r.maintain() // as every flush_interval
	r.explode(3_500)
	r.maintain()
	require.Empty(t, take(logs))
	r.clock.add(time.Minute)
	r.maintain()
	require.Len(t, take(logs), 1)
	r.clock.add(2 * time.Hour)
	r.maintain()
	require.Empty(t, take(logs))
	require.Zero(t, r.counter("offender_series"))
	require.Zero(t, r.counter("rejected_series_estimate"))
}

// Under a limit on values the label itself is the offender, of every metric that has it.
func TestOffendingLabels(t *testing.T) {
	label := defaultLimit
	label.Name, label.Key, label.MaxValues, label.Action = "label", []string{"resource.service.name"}, 100, "strip"
	r, logs := watched(t, func(c *Config) {
		c.Limits = []LimitConfig{label}
		c.TopOffenders.LogExamples = true
	})
	r.explode(1_000)
	r.maintain()
	named := take(logs)
	require.Len(t, named, 1)
	require.Regexp(t, `^Metric requests \(resource.service.name=orders\): label error has about (9\d\d|10\d0) values, limit 100$`,
		named[0].Message)
	labels := named[0].ContextMap()["labels"].([]any)
	require.Len(t, labels, 1)
	examples := labels[0].(map[string]any)["examples"].([]any)
	require.Len(t, examples, 3)
	require.Regexp(t, `^no stock for order \d+$`, examples[0])
}

// Who only observes names what it would have refused; what is exempt, or stale, wants nothing.
func TestOffendersUnderDryRun(t *testing.T) {
	r, logs := watched(t, func(c *Config) {
		c.Mode = modeDryRun
		c.Exempt.Metrics = []string{"up"}
	})
	r.explode(3_500)
	b := newBatch("orders")
	up, stale := b.sum("up", delta, true), b.gauge("gone")
	for i := range 1_000 {
		put(up, 1, r.clock.now(), r.clock.now(), "id", fmt.Sprint(i))
		p := put(stale, 1, r.clock.now(), r.clock.now(), "id", fmt.Sprint(i))
		p.SetFlags(p.Flags().WithNoRecordedValue(true))
	}
	r.send(b.md)
	r.maintain()
	named := take(logs)
	require.Len(t, named, 1)
	require.True(t, strings.HasPrefix(named[0].Message, "Metric requests "))
}

// With count 0 nobody is named; how many found no place is counted all the same.
func TestNoOffenders(t *testing.T) {
	r, logs := watched(t, func(c *Config) { c.TopOffenders.Count = 0 })
	r.explode(3_500)
	r.maintain()
	require.Empty(t, take(logs))
	require.Zero(t, r.counter("offender_series"))
	require.InEpsilon(t, 3_000, r.counter("rejected_series_estimate", "limit", "metric"), 0.07)
}

func TestRound(t *testing.T) {
	for n, want := range map[int64]int64{0: 0, 999: 999, 1_004: 1_000, 1_005: 1_010, 48_211: 48_200, 99_960: 100_000} {
		require.Equal(t, want, round(n), n)
	}
}

// A metric that is over several limits, or with several labels over one, or in several units, has one series of our own
// for each limit and label: the largest.
func TestOffendersOfOneName(t *testing.T) {
	label := defaultLimit
	label.Name, label.Key, label.MaxValues, label.Action = "label", []string{"metric.name"}, 100, "drop"
	r, logs := watched(t, func(c *Config) { c.Limits = append([]LimitConfig{label}, defaultLimits...) })
	b := newBatch("orders")
	for unit := range 3 {
		points := b.sum("requests", delta, true)
		b.sm.Metrics().At(unit).SetUnit(fmt.Sprint(unit))
		for i := range 2_000 {
			put(points, int64(2_000-i), r.clock.now(), r.clock.now(), "few", fmt.Sprint(i%300), "many", fmt.Sprint(i))
		}
	}
	r.send(b.md)
	r.maintain()
	require.InEpsilon(t, 2_000, r.counter("offender_series", "limit", "label", "metric", "requests"), 0.1)
	require.InEpsilon(t, 1_900, r.counter("offender_label_values", "limit", "label", "label", "many"), 0.14)
	require.InEpsilon(t, 200, r.counter("offender_label_values", "limit", "label", "label", "few"), 0.14)
	require.Len(t, take(logs), 1, "one metric")
}

// Each metric is named when it begins to be over its limit; at most ten a minute are, and then a sum.
func TestEachOffenderIsNamed(t *testing.T) {
	r, logs := watched(t, func(c *Config) {
		c.Limits = []LimitConfig{limitOf(1, "drop", "metric.name")}
		c.TopOffenders.Count = 30
	})
	over := func(from, to int) {
		b := newBatch("orders")
		for m := from; m < to; m++ {
			points := b.sum(fmt.Sprintf("m%02d", m), delta, true)
			for i := range 20 {
				put(points, 1, r.clock.now(), r.clock.now(), "id", fmt.Sprint(i))
			}
		}
		r.send(b.md)
		r.maintain()
	}
	over(0, 1)
	require.Len(t, take(logs), 1)
	over(1, 2) // within the same window
	require.Len(t, take(logs), 1)
	over(2, 15)
	require.Len(t, take(logs), 8)
	r.clock.add(time.Minute)
	r.maintain()
	sums := logs.FilterMessage("More metrics are over their limits than are named").All()
	require.Len(t, sums, 1)
	require.EqualValues(t, 5, sums[0].ContextMap()["metrics"])
	require.Empty(t, take(logs))
}
