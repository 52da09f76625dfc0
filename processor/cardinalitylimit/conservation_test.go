package cardinalitylimit

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
)

// kind is a type of metric with a temporality.
type kind struct {
	metric    pmetric.MetricType
	temporal  pmetric.AggregationTemporality
	announced bool // resets always change the start
}

func (k kind) name() string {
	return strings.ToLower(k.metric.String() + "_" + k.temporal.String())
}

var kinds = []kind{
	{pmetric.MetricTypeSum, delta, false},
	{pmetric.MetricTypeSum, cumulative, false},
	{pmetric.MetricTypeHistogram, delta, false},
	{pmetric.MetricTypeHistogram, cumulative, false},
	{pmetric.MetricTypeExponentialHistogram, delta, false},
	{pmetric.MetricTypeExponentialHistogram, cumulative, false},
	{pmetric.MetricTypeSummary, cumulative, false},
}

// totals is a value as a vector of the conserved numbers: count, sum, buckets. Values are integers, so the order of additions
// does not matter.
type totals [7]float64

func (t *totals) plus(o totals) {
	for i := range t {
		t[i] += o[i]
	}
}

func (t totals) minus(o totals) totals {
	for i := range t {
		t[i] -= o[i]
	}
	return t
}

func (t totals) decreased(o totals) bool {
	for i := range t {
		if t[i] < o[i] {
			return true
		}
	}
	return false
}

var simBounds = []float64{10, 100, 1000, 10_000}

// source is a stream of the application.
type source struct {
	kind
	id    int
	start time.Time
	now   totals
	expo  *expo.Histogram
}

// reading is one point of a source. It does not change any more.
type reading struct {
	kind
	id        int
	start, at time.Time
	now       totals
	expo      expo.Histogram
	exemplars []carried
}

func (s *source) begin(at time.Time) {
	s.start, s.now, s.expo = at, totals{}, expo.New(20)
}

// observe adds a few values and returns their totals.
func (s *source) observe(rng *rand.Rand) (grown totals) {
	for range 1 + rng.IntN(4) {
		v := float64(1 + rng.IntN(1<<rng.IntN(15)))
		var one totals
		one[0], one[1] = 1, v
		if s.metric == pmetric.MetricTypeHistogram {
			at, _ := slices.BinarySearch(simBounds, v)
			one[2+at] = 1
		}
		s.expo.Record(v, 1)
		grown.plus(one)
	}
	if s.metric == pmetric.MetricTypeSum {
		grown[0] = 0 // a sum has no count
	}
	s.now.plus(grown)
	return grown
}

func (s *source) read(at time.Time) reading {
	r := reading{s.kind, s.id, s.start, at, s.now, *s.expo, nil}
	r.expo.Positive.Counts = slices.Clone(s.expo.Positive.Counts)
	if s.temporal == delta {
		s.begin(at)
	}
	return r
}

func (r *reading) appendTo(b *batch) {
	m := b.sm.Metrics().AppendEmpty()
	m.SetName(r.name())
	attributes := []string{"id", fmt.Sprint(r.id)}
	switch r.metric {
	case pmetric.MetricTypeSum:
		m.SetEmptySum().SetAggregationTemporality(r.temporal)
		m.Sum().SetIsMonotonic(true)
		p := put(m.Sum().DataPoints(), int64(r.now[1]), r.start, r.at, attributes...)
		r.appendExemplars(p.Exemplars())
	case pmetric.MetricTypeHistogram:
		m.SetEmptyHistogram().SetAggregationTemporality(r.temporal)
		p := m.Histogram().DataPoints().AppendEmpty()
		label(p, r.start, r.at, attributes)
		p.SetCount(uint64(r.now[0]))
		p.SetSum(r.now[1])
		p.ExplicitBounds().FromRaw(simBounds)
		for _, n := range r.now[2:] {
			p.BucketCounts().Append(uint64(n))
		}
		r.appendExemplars(p.Exemplars())
	case pmetric.MetricTypeExponentialHistogram:
		m.SetEmptyExponentialHistogram().SetAggregationTemporality(r.temporal)
		p := m.ExponentialHistogram().DataPoints().AppendEmpty()
		label(p, r.start, r.at, attributes)
		p.SetCount(r.expo.Count)
		p.SetSum(r.expo.Sum)
		p.SetScale(r.expo.Scale)
		p.Positive().SetOffset(r.expo.Positive.Offset)
		p.Positive().BucketCounts().FromRaw(r.expo.Positive.Counts)
		r.appendExemplars(p.Exemplars())
	case pmetric.MetricTypeSummary:
		p := m.SetEmptySummary().DataPoints().AppendEmpty()
		label(p, r.start, r.at, attributes)
		p.SetCount(uint64(r.now[0]))
		p.SetSum(r.now[1])
	}
}

func (r *reading) appendExemplars(to pmetric.ExemplarSlice) {
	for _, c := range r.exemplars {
		c.appendTo(to)
	}
}

// reader is downstream. It adds up the points as the data model requires.
type reader struct {
	t     *testing.T
	total map[string]totals // by metric
	last  map[string]view
}

type view struct {
	start, time pcommon.Timestamp
	value       totals
}

func (r *reader) read(md pmetric.Metrics) {
	for _, rm := range md.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				r.metric(rm.Resource(), m)
			}
		}
	}
}

func (r *reader) metric(res pcommon.Resource, m pmetric.Metric) {
	switch m.Type() {
	case pmetric.MetricTypeSum:
		for _, p := range m.Sum().DataPoints().All() {
			var v totals
			v[1] = float64(p.IntValue())
			r.point(res, m, m.Sum().AggregationTemporality(), p.Attributes(), p.StartTimestamp(), p.Timestamp(), v)
		}
	case pmetric.MetricTypeHistogram:
		for _, p := range m.Histogram().DataPoints().All() {
			v := totals{float64(p.Count()), p.Sum()}
			for i, n := range p.BucketCounts().All() {
				v[2+i] = float64(n)
			}
			r.point(res, m, m.Histogram().AggregationTemporality(), p.Attributes(), p.StartTimestamp(), p.Timestamp(), v)
		}
	case pmetric.MetricTypeExponentialHistogram:
		for _, p := range m.ExponentialHistogram().DataPoints().All() {
			total := p.ZeroCount()
			for _, n := range p.Positive().BucketCounts().All() {
				total += n
			}
			require.Equal(r.t, p.Count(), total, "buckets add up to the count")
			r.point(res, m, m.ExponentialHistogram().AggregationTemporality(), p.Attributes(), p.StartTimestamp(), p.Timestamp(),
				totals{float64(p.Count()), p.Sum()})
		}
	case pmetric.MetricTypeSummary:
		for _, p := range m.Summary().DataPoints().All() {
			r.point(res, m, cumulative, p.Attributes(), p.StartTimestamp(), p.Timestamp(), totals{float64(p.Count()), p.Sum()})
		}
	}
}

func (r *reader) point(
	res pcommon.Resource, m pmetric.Metric, temporality pmetric.AggregationTemporality,
	attributes pcommon.Map, start, at pcommon.Timestamp, v totals,
) {
	_, overflow := attributes.Get("otel.metric.overflow")
	id := fmt.Sprint(m.Name(), res.Attributes().AsRaw(), attributes.AsRaw())
	last, seen := r.last[id]
	grown := v
	if overflow {
		require.Less(r.t, start, at)
	}
	switch {
	case !seen:
	case temporality == delta:
		if overflow {
			require.Equal(r.t, last.time, start, "intervals touch")
		}
	case overflow:
		require.Equal(r.t, last.start, start, "never reset by us")
		require.Greater(r.t, at, last.time)
		require.Falsef(r.t, v.decreased(last.value), "%s: %v after %v", id, v, last.value)
		grown = v.minus(last.value)
	case start == last.start && !v.decreased(last.value):
		grown = v.minus(last.value)
	}
	r.last[id] = view{start, at, v}
	t := r.total[m.Name()]
	t.plus(grown)
	r.total[m.Name()] = t
}

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

func newReader(t *testing.T) *reader {
	return &reader{t: t, total: map[string]totals{}, last: map[string]view{}}
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
			s.begin(r.clock.now().Add(time.Duration(id) * time.Millisecond))
			sources = append(sources, s)
		}
	}
	var pending []reading
	for round := range 30 {
		r.clock.add(time.Second)
		for _, s := range sources {
			quit := round > 15 && s.id < 3 // the first incumbents leave for good
			skip := rng.IntN(4) == 0 && round > 0 && (round < 19 || round > 23)
			if quit || skip {
				continue
			}
			if rng.IntN(15) == 0 && s.temporal != delta && s.now[1] > 0 {
				start := s.start
				before := s.now
				s.begin(r.clock.now().Add(-time.Millisecond))
				grown := s.observe(rng)
				if !s.announced && rng.IntN(2) == 0 && s.now[1] < before[1] && s.now[0] < max(before[0], 1) {
					s.start = start // only the value shows the reset
				}
				record(ledger, s.name(), grown)
			} else {
				record(ledger, s.name(), s.observe(rng))
			}
			now := s.read(r.clock.now())
			x.give(&now)
			pending = append(pending, now)
		}
		if round == 20 || round == 22 {
			r.clock.add(30 * time.Minute) // places become free, folded streams are admitted
		}
		if twoLimits && round == 10 { // from here on the second limit is full
			b := newBatch("orders", "pod", "a")
			filler := b.gauge("filler")
			for id := range 1000 {
				put(filler, 1, r.clock.now(), r.clock.now(), "id", fmt.Sprint(id))
			}
			r.send(b.md)
		}
		pending = r.deliver(rng, pending, round == 0 && lives != nil || round >= 19 && round <= 23 || round == 29, down)
		if lives != nil {
			r = lives.next(rng, r, down)
		}
	}
	r.clock.add(time.Second)
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
