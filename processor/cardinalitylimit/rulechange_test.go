package cardinalitylimit

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/internal/harness"
)

// A stream that left as itself under another selection does not count again when it is folded after a restart.
func TestChangedSelection(t *testing.T) {
	values := func(except ...string) func(*Config) {
		return func(c *Config) {
			l := limitOf(0, "strip", "metric.name")
			l.MaxValues, l.Except = 1, except
			c.Limits = []LimitConfig{l}
		}
	}
	places := func(n int) func(*Config) {
		return func(c *Config) { c.Limits = []LimitConfig{limitOf(n, "overflow", "metric.name")} }
	}
	ofLabels := func(names ...string) func(*Config) {
		return func(c *Config) {
			values()(c)
			c.Limits[0].Labels = names
		}
	}
	for name, edits := range map[string][2]func(*Config){
		"match": {func(c *Config) {
			oneSeries(c)
			c.Limits[0].Match = map[string]any{"metrics": []any{"other"}}
		}, oneSeries},
		"except":           {values("id"), values()},
		"labels":           {ofLabels("other"), ofLabels("id")},
		"attribute_limits": {places(2), func(c *Config) { places(3)(c); c.AttributeLimits.MaxValueBytes = 16 }},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDisk()
			r := startRig(t, harness.NewClock(), d, onDisk(edits[0]))
			start := r.clock.Now().Add(1)
			report := func(a, b int64) {
				r.clock.Add(time.Second)
				batch := newBatch("orders")
				points := batch.sum("requests", cumulative, true)
				long := strings.Repeat("x", 30)
				put(points, a, start, r.clock.Now(), "id", "a"+long)
				put(points, b, start, r.clock.Now(), "id", "b"+long)
				r.send(batch.md)
				r.sink.drain()
			}
			report(2000, 1000)
			require.NoError(t, r.stop())
			r.sink.drain()
			r = r.restart(d, edits[1])
			report(2001, 1001)
			before := r.flushed()[0].value
			require.LessOrEqual(t, before, int64(2))
			report(2002, 1004)
			require.EqualValues(t, 3, r.flushed()[0].value-before)
			require.NoError(t, r.stop())
		})
	}
}

// Gauges that a rule folds continue after a restart, whatever the processor's own folding of gauges is: values that downstream has
// refused leave, and silent streams stay in a sum.
func TestGaugesOfARuleOverRestarts(t *testing.T) {
	for gauge, want := range map[string]int64{"last": 20, "min": 10, "max": 30, "sum": 60} {
		t.Run(gauge, func(t *testing.T) {
			d := newDisk()
			r := startRig(t, harness.NewClock(), d, onDisk(gaugeRule(gauge)))
			r.sendGauges(10, 30, 20)
			r.sink.refuse(errors.New("busy"))
			require.NoError(t, r.stop())
			r = r.restart(d, gaugeRule(gauge))
			got := r.flushed()
			require.Len(t, got, 1)
			assert.Equal(t, want, got[0].value)
			assert.Zero(t, r.counter("dropped_points"))
			require.NoError(t, r.stop())
		})
	}
}

// After a restart with another folding the gauges of a rule begin anew.
func TestChangedGaugeOfARule(t *testing.T) {
	for _, global := range []string{"drop", "last"} {
		d := newDisk()
		r := startRig(t, harness.NewClock(), d, onDisk(gaugeRule("sum")))
		r.sendGauges(10, 30, 20)
		require.NoError(t, r.stop())
		for _, next := range []struct {
			gauge string
			want  int64
		}{{"last", 20}, {"sum", 60}, {"max", 30}, {"min", 10}} {
			r.sink.drain()
			r = r.restart(d, func(c *Config) {
				gaugeRule(next.gauge)(c)
				c.Reaggregate.Gauge = global
			})
			for range 2 {
				r.sendGauges(10, 30, 20)
				got := r.flushed()
				require.Len(t, got, 1, next.gauge)
				require.Equal(t, next.want, got[0].value, next.gauge)
			}
			require.NoError(t, r.Shutdown(context.Background()))
			require.NoError(t, r.tel.Shutdown(context.Background()))
		}
	}
}

// gaugeRule folds all gauges without their label id.
func gaugeRule(gauge string) func(*Config) {
	return func(c *Config) {
		rule := ruleOf(".*", "id")
		rule.Gauge = gauge
		c.Labels = []LabelsConfig{rule}
	}
}

// sendGauges sends a collection of gauges that differ in their label id.
func (r *rig) sendGauges(values ...int64) {
	r.clock.Add(10 * time.Second)
	b := newBatch("orders")
	points := b.gauge("temperature")
	for i, v := range values {
		put(points, v, time.Time{}, r.clock.Now().Add(time.Duration(i)), "id", string(rune('a'+i)))
	}
	r.send(b.md)
}
