package cardinalitylimit

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// explode offers n series of requests that differ in their error text, each with one of 7 routes.
func (r *rig) explode(n int) {
	b := newBatch("orders")
	points := b.sum("requests", delta, true)
	for i := range n {
		put(points, 1, r.clock.Now(), r.clock.Now(), "route", fmt.Sprint(i%7), "error", fmt.Sprintf("no stock for order %d", i))
	}
	r.send(b.md)
}

func watched(t *testing.T, edit func(*Config)) (*rig, *observer.ObservedLogs) {
	r := newRig(t, edit)
	core, logs := observer.New(zapcore.WarnLevel)
	r.settings.Logger = zap.New(core)
	return r, logs
}

// offenderRecords returns the log records about offenders since the last call.
func offenderRecords(logs *observer.ObservedLogs) (named []observer.LoggedEntry) {
	for _, e := range logs.TakeAll() {
		if strings.HasPrefix(e.Message, "Metric ") {
			named = append(named, e)
		}
	}
	return named
}

// A metric that exploded is named with its worst label, by metrics and by one log record per window.
func TestOffendersAreNamed(t *testing.T) {
	r, logs := watched(t, nil)
	r.explode(3_500)
	r.maintain()
	named := offenderRecords(logs)
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

	// It is not named again in this window, and in the next only if it continues.
	r.clock.Add(59 * time.Minute)
	r.maintain() // the flusher does so at every flush_interval
	r.explode(3_500)
	r.maintain()
	require.Empty(t, offenderRecords(logs))
	r.clock.Add(time.Minute)
	r.maintain()
	require.Len(t, offenderRecords(logs), 1)
	r.clock.Add(2 * time.Hour)
	r.maintain()
	require.Empty(t, offenderRecords(logs))
	require.Zero(t, r.counter("offender_series"))
	require.Zero(t, r.counter("rejected_series_estimate"))
}

// Under a limit on values, the label itself is the offender, in every metric that has it.
func TestOffendingLabels(t *testing.T) {
	label := defaultLimit
	label.Name, label.Key, label.MaxValues, label.Action = "label", []string{"resource.service.name"}, 100, "strip"
	r, logs := watched(t, func(c *Config) {
		c.Limits = []LimitConfig{label}
		c.TopOffenders.LogExamples = true
	})
	r.explode(1_000)
	r.maintain()
	named := offenderRecords(logs)
	require.Len(t, named, 1)
	require.Regexp(t, `^Metric requests \(resource.service.name=orders\): label error has about (9\d\d|10\d0) values, limit 100$`,
		named[0].Message)
	labels := named[0].ContextMap()["labels"].([]any)
	require.Len(t, labels, 1)
	examples := labels[0].(map[string]any)["examples"].([]any)
	require.Len(t, examples, 3)
	require.Regexp(t, `^no stock for order \d+$`, examples[0])
}

// A limit in a dry run names the series that it would have refused. Exempt metrics and stale points want no place.
func TestOffendersUnderDryRun(t *testing.T) {
	r, logs := watched(t, func(c *Config) {
		c.Mode = modeDryRun
		c.Exempt.Metrics = []string{"up"}
	})
	r.explode(3_500)
	b := newBatch("orders")
	up, stale := b.sum("up", delta, true), b.gauge("gone")
	for i := range 1_000 {
		put(up, 1, r.clock.Now(), r.clock.Now(), "id", fmt.Sprint(i))
		p := put(stale, 1, r.clock.Now(), r.clock.Now(), "id", fmt.Sprint(i))
		p.SetFlags(p.Flags().WithNoRecordedValue(true))
	}
	r.send(b.md)
	r.maintain()
	named := offenderRecords(logs)
	require.Len(t, named, 1)
	require.True(t, strings.HasPrefix(named[0].Message, "Metric requests "))
}

// With count 0 no metric is named. The number of series without a place is still counted.
func TestNoOffenders(t *testing.T) {
	r, logs := watched(t, func(c *Config) { c.TopOffenders.Count = 0 })
	r.explode(3_500)
	r.maintain()
	require.Empty(t, offenderRecords(logs))
	require.Zero(t, r.counter("offender_series"))
	require.InEpsilon(t, 3_000, r.counter("rejected_series_estimate", "limit", "metric"), 0.07)
}

func TestRound(t *testing.T) {
	for n, want := range map[int64]int64{0: 0, 999: 999, 1_004: 1_000, 1_005: 1_010, 48_211: 48_200, 99_960: 100_000} {
		require.Equal(t, want, round(n), n)
	}
}

// A metric may be over several limits, over one limit with several labels, or have several units. Our own metrics then have one
// series per limit and label, with the largest value.
func TestOffendersOfOneName(t *testing.T) {
	label := defaultLimit
	label.Name, label.Key, label.MaxValues, label.Action = "label", []string{"metric.name"}, 100, "drop"
	r, logs := watched(t, func(c *Config) { c.Limits = append([]LimitConfig{label}, defaultLimits...) })
	b := newBatch("orders")
	for unit := range 3 {
		points := b.sum("requests", delta, true)
		b.sm.Metrics().At(unit).SetUnit(fmt.Sprint(unit))
		for i := range 2_000 {
			put(points, int64(2_000-i), r.clock.Now(), r.clock.Now(), "few", fmt.Sprint(i%300), "many", fmt.Sprint(i))
		}
	}
	r.send(b.md)
	r.maintain()
	require.InEpsilon(t, 2_000, r.counter("offender_series", "limit", "label", "metric", "requests"), 0.1)
	require.InEpsilon(t, 2_000, r.counter("offender_label_values", "limit", "label", "label", "many"), 0.14)
	require.InEpsilon(t, 300, r.counter("offender_label_values", "limit", "label", "label", "few"), 0.14)
	require.Len(t, offenderRecords(logs), 1, "one metric")
}

// labelsOf returns the values of each label of a record.
func labelsOf(record observer.LoggedEntry) map[string]int64 {
	values := make(map[string]int64)
	for _, l := range record.ContextMap()["labels"].([]any) {
		l := l.(map[string]any)
		values[l["label"].(string)] = l["values"].(int64)
	}
	return values
}

// If a limit counts streams, the attributes of resources are labels. Attributes in the key are left out, because they have one
// value per key.
func TestResourceAttributesAreLabels(t *testing.T) {
	r, logs := watched(t, func(c *Config) {
		l := limitOf(100, "drop", "resource.service.name", "metric.name")
		l.Count = countStreams
		c.Limits = []LimitConfig{l}
	})
	for range 2 { // as SDKs repeat their streams
		md := newBatch("orders").md
		md.ResourceMetrics().RemoveIf(func(pmetric.ResourceMetrics) bool { return true })
		for instance := range 300 {
			b := newBatch("orders", "service.instance.id", fmt.Sprint("pod-", instance), "telemetry.sdk.language", "go")
			points := b.sum("requests", delta, true)
			for route := range 7 {
				put(points, 1, r.clock.Now(), r.clock.Now(), "route", fmt.Sprint(route))
			}
			b.md.ResourceMetrics().MoveAndAppendTo(md.ResourceMetrics())
		}
		r.send(md)
	}
	r.maintain()
	named := offenderRecords(logs)
	require.Len(t, named, 1)
	require.Contains(t, named[0].Message, "label resource.service.instance.id has about ")
	values := labelsOf(named[0])
	require.InEpsilon(t, 300, values["resource.service.instance.id"], 0.1)
	require.EqualValues(t, 7, values["route"])
	require.EqualValues(t, 1, values["resource.telemetry.sdk.language"])
	require.NotContains(t, values, "resource.service.name")
}

// Values count even if only series with places have them.
func TestAllValuesOfALabelCount(t *testing.T) {
	r, logs := watched(t, func(c *Config) { c.Limits = []LimitConfig{limitOf(400, "overflow", "metric.name")} })
	export := func() {
		b := newBatch("orders")
		points := b.sum("requests", delta, true)
		for i := range 400 {
			put(points, 2, r.clock.Now(), r.clock.Now(), "route", fmt.Sprint(i), "code", "200")
		}
		for i := range 100 { // without a place
			put(points, 1, r.clock.Now(), r.clock.Now(), "route", fmt.Sprint(i%10), "code", fmt.Sprint(i))
		}
		r.send(b.md)
	}
	export()
	export()
	r.maintain()
	named := offenderRecords(logs)
	require.Len(t, named, 1)
	values := labelsOf(named[0])
	require.InEpsilon(t, 400, values["route"], 0.1)
	require.InEpsilon(t, 101, values["code"], 0.1)
	require.Contains(t, named[0].Message, "label route has about ")
}

// A key that contains several metrics is named with its total. A metric that explodes later is named, too, beside a flood of
// names.
func TestKeysAreNamed(t *testing.T) {
	r, logs := watched(t, func(c *Config) {
		l := limitOf(500, "drop", "resource.service.name")
		l.Count = countStreams
		c.Limits = []LimitConfig{l}
	})
	offer := func(names, series int) {
		b := newBatch("orders")
		for i := range names {
			put(b.sum(fmt.Sprint("name", i), delta, true), 1, r.clock.Now(), r.clock.Now())
		}
		points := b.sum("requests", delta, true)
		for i := range series {
			put(points, 1, r.clock.Now(), r.clock.Now(), "id", fmt.Sprint(i))
		}
		r.send(b.md)
		r.maintain()
	}
	keys := func() []observer.LoggedEntry {
		return logs.FilterMessageSnippet("Key resource.service.name=orders").All()
	}
	offer(20_000, 0)
	require.Len(t, keys(), 1)
	require.Regexp(t, `^Key resource.service.name=orders: about (19|20|21)\d00 series wanted, limit 500, label metric.name has about (19|20|21)\d00 values$`,
		keys()[0].Message)
	require.Empty(t, logs.FilterMessageSnippet("Metric ").All(), "no name has more than a thousandth")
	offer(20_000, 10_000)
	named := logs.FilterMessageSnippet("Metric ").All()
	require.Len(t, named, 1)
	require.Regexp(t, `^Metric requests \(resource.service.name=orders\): about \d+ series wanted, limit 500, label id has about (9|10)\d+ values$`, named[0].Message)
	require.Len(t, keys(), 1, "once per window")
	wanted := r.counter("offender_key_series", "limit", "l", "key", "resource.service.name=orders")
	require.InEpsilon(t, 30_000, wanted, 0.1)
	shown := r.GatewayState().Limiter.Keys
	require.Len(t, shown, 1)
	require.Equal(t, "resource.service.name=orders", shown[0].Key)
	require.Empty(t, shown[0].Metric)
	require.Equal(t, wanted, shown[0].Wanted)
	require.EqualValues(t, 500, shown[0].Admitted)
}

// One key for everything, and a rule for labels, are named by their limit.
func TestLimitOnAllIsNamed(t *testing.T) {
	r, logs := watched(t, func(c *Config) {
		l := limitOf(500, "drop")
		l.Name, l.Key, l.Count = "total", []string{}, countStreams
		c.Limits = []LimitConfig{l}
	})
	r.explode(2_000)
	r.maintain()
	require.Len(t, logs.FilterMessageSnippet("All metrics under limit total: about ").All(), 1)
	require.Len(t, logs.FilterMessageSnippet("Metric requests: about ").All(), 1)
}

// The use of the fullest keys, and of the keys that each override applies to, is visible.
func TestUseIsVisible(t *testing.T) {
	r := newRig(t, func(c *Config) {
		l := limitOf(100, "overflow", "resource.service.name", "metric.name")
		l.Overrides = []OverrideConfig{
			{Match: map[string]any{"metrics": []any{"http\\..*"}}, MaxSeries: 20},
			{Match: map[string]any{"resource.service.name": "unused"}, MaxSeries: 7},
		}
		c.Limits = []LimitConfig{l}
	})
	b := newBatch("orders")
	for i, series := range map[string]int{"http.server": 30, "http.client": 5, "rpc": 40, "other": 1} {
		points := b.sum(i, delta, true)
		for id := range series {
			put(points, 1, r.clock.Now(), r.clock.Now(), "id", fmt.Sprint(id))
		}
	}
	r.send(b.md)
	for name, want := range map[string][2]int64{"http.server": {20, 20}, "http.client": {5, 20}, "rpc": {40, 100}, "other": {1, 100}} {
		key := "resource.service.name=orders metric.name=" + name
		require.Equal(t, want[0], r.counter("key_series", "limit", "l", "key", key), name)
		require.Equal(t, want[1], r.counter("key_max_series", "limit", "l", "key", key), name)
	}
	for name, want := range map[string]int64{"keys": 2, "series": 25, "max_series": 20, "fullest_key_series": 20} {
		require.Equal(t, want, r.counter("override_"+name, "limit", "l", "override", "0"), name)
	}
	for name, want := range map[string]int64{"keys": 0, "series": 0, "max_series": 7, "fullest_key_series": 0} {
		require.Equal(t, want, r.counter("override_"+name, "limit", "l", "override", "1"), name)
	}
}

// Of many keys the fullest are shown.
func TestFullestKeysAreShown(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Limits = []LimitConfig{limitOf(100, "overflow", "metric.name")} })
	b := newBatch("orders")
	for i := range 50 {
		points := b.sum(fmt.Sprintf("m%02d", i), delta, true)
		for id := range 1 + i*7%50 {
			put(points, 1, r.clock.Now(), r.clock.Now(), "id", fmt.Sprint(id))
		}
	}
	r.send(b.md)
	require.EqualValues(t, 50+49+48+47+46+45+44+43+42+41, r.counter("key_series", "limit", "l"))
}

// Each metric is named when it first exceeds its limit. At most ten per minute are named. Then a record has the number of the
// others.
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
				put(points, 1, r.clock.Now(), r.clock.Now(), "id", fmt.Sprint(i))
			}
		}
		r.send(b.md)
		r.maintain()
	}
	over(0, 1)
	require.Len(t, offenderRecords(logs), 1)
	over(1, 2) // within the same window
	require.Len(t, offenderRecords(logs), 1)
	over(2, 15)
	require.Len(t, offenderRecords(logs), 8)
	r.clock.Add(time.Minute)
	r.maintain()
	sums := logs.FilterMessage("More metrics are over their limits than are named").All()
	require.Len(t, sums, 1)
	require.EqualValues(t, 5, sums[0].ContextMap()["metrics"])
	require.Len(t, offenderRecords(logs), 5, "those that the minute before did not name")
	r.maintain()
	require.Empty(t, offenderRecords(logs))
}
