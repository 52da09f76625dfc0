package cardinalitylimit

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// The test has random streams of all types and temporalities, resets, batches that are split anywhere and come in any order
// that keeps the order of a cumulative stream, batches and flushes that are refused and sent again, and places that become
// free. Downstream adds up to the ledger. The exemplars of folded points leave once or are counted.
func TestTotalsAreConserved(t *testing.T) {
	const cases = 60
	var all simulated
	for seed := range uint64(cases) {
		down := newReader(t)
		ledger, n := simulate(t, seed, kinds, down.read, nil)
		require.Equalf(t, ledger, down.total, "seed %d", seed)
		all.add(n)
	}
	require.Positive(t, all.dropped)
	t.Logf("%d cases: %v", cases, all)
}

// simulated counts points and exemplars.
type simulated struct {
	folded        int64 // points, in the last life
	came          int64 // exemplars of folded points
	left, dropped int64
}

func (n *simulated) add(o simulated) {
	n.folded += o.folded
	n.came += o.came
	n.left += o.left
	n.dropped += o.dropped
}

func (n simulated) String() string {
	return fmt.Sprintf("%d points folded; of %d exemplars %d left and %d were dropped", n.folded, n.came, n.left, n.dropped)
}

// simulate sends streams of the given kinds through a processor to down and returns their growth. If there are lives, each
// round may be the end of one.
func simulate(
	t *testing.T, seed uint64, kinds []kind, down func(pmetric.Metrics), lives *lives,
) (ledger map[string]totals, n simulated) {
	rng := rand.New(rand.NewPCG(seed, 3))
	x, totalsDown := newExemplars(t, seed), down
	down = func(md pmetric.Metrics) {
		x.read(md)
		totalsDown(md)
	}
	places := 1 + rng.IntN(6)
	twoLimits := lives == nil && seed%2 == 1
	edit := func(c *Config) {
		c.Limits = []LimitConfig{limitOf(places, "overflow", "resource.service.name", "metric.name")}
		if twoLimits { // the second limit has room for the series that the first lets pass and its overflow series
			second := limitOf(len(kinds)*(places+1), "drop", "resource.service.name")
			second.Name, second.Count = "second", countStreams
			filler := OverrideConfig{Match: map[string]any{"metrics": []any{"filler"}}, MaxSeries: 1000}
			c.Limits[0].Overrides = []OverrideConfig{filler}
			c.Limits = append(c.Limits, second)
		}
	}
	var r *rig
	if lives == nil {
		r = newRig(t, edit)
	} else {
		r = lives.begin(t, edit)
		defer func() { lives.end(r) }()
	}
	ledger = map[string]totals{}
	var sources []*source
	for _, k := range kinds {
		for id := range 10 {
			s := &source{kind: k, id: id}
			s.begin(r.clock.Now().Add(time.Duration(id) * time.Millisecond))
			sources = append(sources, s)
		}
	}
	var pending []reading
	for round := range 30 {
		r.clock.Add(time.Second)
		for _, s := range sources {
			quit := round > 15 && s.id < 3 // the first incumbents leave for good
			skip := rng.IntN(4) == 0 && round > 0 && (round < 19 || round > 23)
			if quit || skip {
				continue
			}
			if rng.IntN(15) == 0 && s.temporal != delta && s.now[1] > 0 {
				start := s.start
				before := s.now
				s.begin(r.clock.Now().Add(-time.Millisecond))
				grown := s.observe(rng)
				if !s.announced && rng.IntN(2) == 0 && s.now[1] < before[1] && s.now[0] < max(before[0], 1) {
					s.start = start // only the value shows the reset
				}
				record(ledger, s.name(), grown)
			} else {
				record(ledger, s.name(), s.observe(rng))
			}
			now := s.read(r.clock.Now())
			x.give(&now)
			pending = append(pending, now)
		}
		if round == 20 || round == 22 {
			r.clock.Add(30 * time.Minute) // places become free, folded streams are admitted
		}
		if twoLimits && round == 10 { // from here on the second limit is full
			b := newBatch("orders", "pod", "a")
			filler := b.gauge("filler")
			for id := range 1000 {
				put(filler, 1, r.clock.Now(), r.clock.Now(), "id", fmt.Sprint(id))
			}
			r.send(b.md)
		}
		pending = r.deliver(rng, pending, round == 0 && lives != nil || round >= 19 && round <= 23 || round == 29, down)
		if lives != nil {
			r = lives.next(rng, r, down)
		}
	}
	r.clock.Add(time.Second)
	require.NoError(r.t, r.flush(context.Background(), false))
	for _, md := range r.sink.drain() {
		down(md)
	}
	if lives == nil || !lives.killed {
		require.Zero(t, r.counter("unbaselined_points"))
		require.Zero(t, r.counter("dropped_points"))
	}
	n.folded, n.dropped = r.counter("folded_points"), r.counter("dropped_exemplars")
	if lives != nil {
		n.dropped += lives.dropped
	}
	n.came, n.left = x.check(seed, n.dropped, lives != nil && lives.killed)
	return ledger, n
}

func record(ledger map[string]totals, name string, grown totals) {
	t := ledger[name]
	t.plus(grown)
	ledger[name] = t
}

// deliver sends some or all of what is pending, flushing and refusing now and then.
func (r *rig) deliver(rng *rand.Rand, pending []reading, all bool, down func(pmetric.Metrics)) (rest []reading) {
	// The streams may be in any order. A cumulative stream keeps its order.
	rng.Shuffle(len(pending), func(i, j int) { pending[i], pending[j] = pending[j], pending[i] })
	pending = keepOwnOrder(pending)
	for len(pending) > 0 && (all || rng.IntN(8) != 0) {
		n := 1 + rng.IntN(len(pending))
		build := func() pmetric.Metrics {
			b := newBatch("orders", "pod", "a")
			for i := range pending[:n] {
				pending[i].appendTo(b)
			}
			return b.md
		}
		if rng.IntN(5) == 0 {
			// The batch is refused unless all of it is folded. A folded batch is already accepted.
			r.sink.refuse(errors.New("busy"))
			err := r.ConsumeMetrics(context.Background(), build())
			require.NoError(r.t, r.flush(context.Background(), false))
			r.sink.refuse(nil)
			if err == nil {
				pending = pending[n:]
				continue
			}
		}
		r.send(build())
		pending = pending[n:]
		if rng.IntN(3) == 0 {
			require.NoError(r.t, r.flush(context.Background(), false))
		}
		for _, md := range r.sink.drain() {
			down(md)
		}
	}
	return pending
}

// keepOwnOrder moves the readings of each stream into the order of time, within the positions that the stream has.
func keepOwnOrder(readings []reading) []reading {
	type stream struct {
		kind
		id int
	}
	queues := map[stream][]reading{}
	for _, r := range readings {
		k := stream{r.kind, r.id}
		queues[k] = append(queues[k], r)
	}
	for _, q := range queues {
		slices.SortFunc(q, func(a, b reading) int { return a.at.Compare(b.at) })
	}
	out := make([]reading, 0, len(readings))
	for _, r := range readings {
		k := stream{r.kind, r.id}
		out = append(out, queues[k][0])
		queues[k] = queues[k][1:]
	}
	return out
}
