package cardinalitylimit

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/harness"
)

// Several limits of a few places, rules for labels, dry runs and rotations, with restarts between which the configuration changes
// in every second case. Deltas add up exactly. Cumulative streams add up exactly unless a value was counted as a baseline, and never
// to more.
func TestTotalsOfMixedLimits(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 77))
		down := &sums{last: map[string]int64{}}
		d, clock := newDisk(), harness.NewClock()
		edit := randomLimits(rng)
		r := startRig(t, clock, d, edit)
		start, values := clock.Now().Add(1), map[string]int64{}
		var deltas, unbaselined int64
		for range 60 {
			clock.Add(time.Duration(1+rng.IntN(20)) * time.Minute)
			for pod := range 2 {
				b := newBatch("orders", "pod", fmt.Sprint(pod))
				for m := range 2 {
					name := fmt.Sprint("m", m)
					pointLists := [2]pmetric.NumberDataPointSlice{b.sum(name, delta, true), b.sum(name, cumulative, true)}
					for id := range 4 {
						v, stream := int64(rng.IntN(10)), fmt.Sprint(pod, m, id)
						deltas, values[stream] = deltas+v, values[stream]+v
						var labels []string // the last stream has none
						if id < 3 {
							labels = []string{"a", fmt.Sprint(id), "b", "x"}
						}
						put(pointLists[0], v, clock.Now().Add(-time.Second), clock.Now(), labels...)
						put(pointLists[1], values[stream], start, clock.Now(), labels...)
					}
				}
				r.send(b.md)
			}
			require.NoError(t, r.flush(context.Background(), false))
			r.maintain()
			down.addUp(r)
			if rng.IntN(8) == 0 {
				unbaselined += r.counter("unbaselined_points")
				require.NoError(t, r.stop())
				down.addUp(r)
				if seed%2 == 1 {
					edit = randomLimits(rng)
				}
				clock.Add(time.Second)
				r = startRig(t, clock, d, edit)
			}
		}
		unbaselined += r.counter("unbaselined_points")
		require.Zero(t, r.counter("dropped_points"))
		require.NoError(t, r.stop())
		var want, got int64
		for _, v := range values {
			want += v
		}
		for _, v := range down.last {
			got += v
		}
		require.Equal(t, deltas, down.deltas, "seed %d", seed)
		require.LessOrEqual(t, got, want, "seed %d", seed)
		if unbaselined == 0 {
			require.Equal(t, want, got, "seed %d", seed)
		}
	}
}

// randomLimits returns up to three limits that drop nothing and, in half of the cases, a rule for labels.
func randomLimits(rng *rand.Rand) func(*Config) {
	pick := func(from ...string) string { return from[rng.IntN(len(from))] }
	var limits []LimitConfig
	var rules []LabelsConfig
	if rng.IntN(2) == 0 {
		rule := ruleOf(pick("m0", ".*", "nothing"), pick("a", ".*", "resource.pod"))
		rule.MaxStreams = 1 + rng.IntN(8)
		if rng.IntN(3) == 0 {
			rule.Drop, rule.Keep = nil, []string{pick("a", "nothing", "resource.service.name")}
		}
		rules = []LabelsConfig{rule}
	}
	for i := range 1 + rng.IntN(3) {
		key := [][]string{{}, {"metric.name"}, {"resource.service.name"}, {"attribute.a"}, {"resource.pod", "metric.name"}, {"scope.name"}}[rng.IntN(6)]
		l := limitOf(1+rng.IntN(3), "overflow", key...)
		l.Name, l.DryRun = fmt.Sprint("l", i), rng.IntN(4) == 0
		switch rng.IntN(6) {
		case 0, 1:
			l.Count = countStreams
		case 2:
			l.MaxSeries, l.MaxValues, l.Action, l.Labels = 0, 1+rng.IntN(2), pick("strip", "overflow"), []string{"a", "resource.pod"}
		case 3:
			l.MaxSeries, l.MaxValues, l.Action, l.Except = 0, 1+rng.IntN(2), pick("strip", "overflow"), []string{"^a$"}
		case 4:
			if len(rules) == 0 { // a rule makes a series of its own of tagged points
				l.Action = "tag"
			}
		}
		if rng.IntN(4) == 0 {
			l.Match = map[string]any{"metrics": []any{pick("m0", "none", "m.*")}}
		}
		limits = append(limits, l)
	}
	contestedAt := []float64{1, 0.5}[rng.IntN(2)]
	return func(c *Config) {
		c.Storage, c.Limits, c.Labels, c.Admission.ContestedAt = &storageID, limits, rules, contestedAt
		c.Reaggregate.FirstValue = "start"
	}
}

// sums adds up what leaves.
type sums struct {
	deltas int64
	last   map[string]int64 // of cumulative series, with their starts
}

func (s *sums) addUp(r *rig) {
	for _, md := range r.sink.drain() {
		for _, rm := range md.ResourceMetrics().All() {
			for _, sm := range rm.ScopeMetrics().All() {
				for _, m := range sm.Metrics().All() {
					for _, p := range m.Sum().DataPoints().All() {
						if m.Sum().AggregationTemporality() == delta {
							s.deltas += p.IntValue()
							continue
						}
						labels := p.Attributes().AsRaw()
						delete(labels, tagAttribute)
						s.last[fmt.Sprint(rm.Resource().Attributes().AsRaw(), sm.Scope().Name(), m.Name(), labels, p.StartTimestamp())] = p.IntValue()
					}
				}
			}
		}
	}
}
