package cardinalitylimit

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// carried is an exemplar of a reading. Its number is its trace ID.
type carried struct {
	number uint64
	at     time.Time // may be zero
	value  float64   // may be NaN
	metric string
	id     int
}

func (c carried) appendTo(s pmetric.ExemplarSlice) {
	e := s.AppendEmpty()
	trace := pcommon.TraceID{}
	binary.BigEndian.PutUint64(trace[:], c.number)
	e.SetTraceID(trace)
	if !c.at.IsZero() {
		e.SetTimestamp(pcommon.NewTimestampFromTime(c.at))
	}
	e.SetDoubleValue(c.value)
	e.FilteredAttributes().PutStr("user", c.user())
}

func (c carried) user() string { return fmt.Sprint("user-", c.number) }

// exemplars is a model of the exemplars. Each exemplar of a folded point leaves with the overflow series once, or is counted as
// dropped. The model has its own random numbers.
type exemplars struct {
	t       *testing.T
	rng     *rand.Rand
	repeats bool // cumulative streams repeat the exemplars of the reading before, as SDKs do
	came    []carried
	before  map[string][]carried // by stream
	points  map[place][]carried  // of the points that did not pass
	passed  map[uint64]bool
	left    map[uint64]bool
}

// place is the position of a passing point downstream.
type place struct {
	metric, id string
	at         pcommon.Timestamp
}

func newExemplars(t *testing.T, seed uint64) *exemplars {
	return &exemplars{
		t: t, rng: rand.New(rand.NewPCG(seed, 7)), repeats: seed%2 == 1,
		before: map[string][]carried{}, points: map[place][]carried{}, passed: map[uint64]bool{}, left: map[uint64]bool{},
	}
}

// give gives a reading exemplars from the second before it.
func (x *exemplars) give(r *reading) {
	if r.metric == pmetric.MetricTypeSummary {
		return
	}
	stream := fmt.Sprint(r.name(), r.id)
	if x.repeats && r.temporal == cumulative {
		r.exemplars = append(r.exemplars, x.before[stream]...)
	}
	x.before[stream] = nil
	for range x.rng.IntN(4) {
		c := carried{
			number: uint64(len(x.came)), metric: r.name(), id: r.id, value: float64(x.rng.IntN(20_000)),
			at: r.at.Add(-time.Duration(x.rng.IntN(1000)) * time.Millisecond),
		}
		if x.rng.IntN(30) == 0 {
			c.value = math.NaN()
		}
		if x.rng.IntN(10) == 0 || math.IsNaN(c.value) { // an exemplar without a value is counted each time that it comes
			c.at = time.Time{}
		} else {
			x.before[stream] = append(x.before[stream], c)
		}
		x.came = append(x.came, c)
		r.exemplars = append(r.exemplars, c)
	}
	x.points[place{r.name(), fmt.Sprint(r.id), pcommon.NewTimestampFromTime(r.at)}] = r.exemplars
}

func (x *exemplars) read(md pmetric.Metrics) {
	for _, rm := range md.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				switch m.Type() {
				case pmetric.MetricTypeSum:
					for _, p := range m.Sum().DataPoints().All() {
						x.point(m.Name(), p.Attributes(), p.Timestamp(), p.Exemplars())
					}
				case pmetric.MetricTypeHistogram:
					for _, p := range m.Histogram().DataPoints().All() {
						x.point(m.Name(), p.Attributes(), p.Timestamp(), p.Exemplars())
					}
				case pmetric.MetricTypeExponentialHistogram:
					for _, p := range m.ExponentialHistogram().DataPoints().All() {
						x.point(m.Name(), p.Attributes(), p.Timestamp(), p.Exemplars())
					}
				}
			}
		}
	}
}

func (x *exemplars) point(metric string, attributes pcommon.Map, at pcommon.Timestamp, s pmetric.ExemplarSlice) {
	id, passes := attributes.Get("id")
	if passes {
		p := place{metric, id.Str(), at}
		sent, ok := x.points[p] // testify's Contains walks all of a map
		require.True(x.t, ok, "%v was not sent", p)
		require.Len(x.t, sent, s.Len())
		delete(x.points, p)
	} else {
		require.LessOrEqual(x.t, s.Len(), 20)
	}
	last := pcommon.Timestamp(0)
	for _, e := range s.All() {
		trace := e.TraceID()
		number := binary.BigEndian.Uint64(trace[:])
		require.Less(x.t, number, uint64(len(x.came)))
		c := x.came[number]
		require.Equal(x.t, metric, c.metric)
		want := map[string]any{"user": c.user()}
		if passes {
			x.passed[number] = true
		} else {
			require.InDelta(x.t, c.value, e.DoubleValue(), 0)
			require.LessOrEqual(x.t, last, e.Timestamp(), "by time")
			require.Falsef(x.t, x.left[number], "exemplar %d of %s leaves twice", number, metric)
			x.left[number], last = true, e.Timestamp()
			want["id"] = fmt.Sprint(c.id)
		}
		require.Equal(x.t, want, e.FilteredAttributes().AsRaw())
	}
}

// check compares the exemplars that are counted as dropped, in all lives, with those of points that did not pass. Exemplars
// lost by a kill are not counted. An exemplar that also passed with an earlier point may be known to have left, or is dropped.
func (x *exemplars) check(seed uint64, dropped int64, killed bool) (folded, left int64) {
	came := map[uint64]bool{}
	for _, point := range x.points {
		for _, c := range point {
			came[c.number] = true
		}
	}
	gone, known := int64(0), int64(0)
	for number := range came {
		switch {
		case x.left[number]:
		case x.passed[number]:
			known++
		default:
			gone++
		}
	}
	for number := range x.left {
		_, ok := came[number]
		require.True(x.t, ok, "seed %d: exemplar %v of a point that passed", seed, number)
	}
	if !x.repeats {
		require.Zero(x.t, known)
	}
	if !killed || !x.repeats { // after a kill it is not known that one was dropped before
		require.LessOrEqualf(x.t, dropped, gone+known, "seed %d", seed)
	}
	if !killed {
		require.GreaterOrEqualf(x.t, dropped, gone, "seed %d", seed)
	}
	return int64(len(came)), int64(len(x.left))
}

// Exemplars of folded points leave with their series, with the labels that it lacks. Each leaves once, and at most 20 per
// point. Exemplars of passing points are unchanged.
func TestExemplarsSurvive(t *testing.T) {
	const folded = 30
	r := newRig(t, oneSeries)
	start := r.clock.Now()
	step := func(round int) pmetric.Metrics {
		b := newBatch("orders")
		for _, temporality := range []pmetric.AggregationTemporality{delta, cumulative} {
			sums := b.sum(fmt.Sprint("requests", temporality), temporality, true)
			h, e := b.sm.Metrics().AppendEmpty(), b.sm.Metrics().AppendEmpty()
			h.SetName(fmt.Sprint("latency", temporality))
			h.SetEmptyHistogram().SetAggregationTemporality(temporality)
			e.SetName(fmt.Sprint("size", temporality))
			e.SetEmptyExponentialHistogram().SetAggregationTemporality(temporality)
			for id := range 1 + folded {
				fill := func(s pmetric.ExemplarSlice) {
					x := s.AppendEmpty()
					x.SetDoubleValue(float64(id%3) + 0.5)
					x.SetTraceID([16]byte{byte(round), byte(id)})
					x.SetTimestamp(pcommon.NewTimestampFromTime(r.clock.Now()))
					x.FilteredAttributes().PutStr("user", "u")
				}
				fill(put(sums, int64(round), start, r.clock.Now(), "id", fmt.Sprint(id)).Exemplars())
				q := h.Histogram().DataPoints().AppendEmpty()
				label(q, start, r.clock.Now(), []string{"id", fmt.Sprint(id)})
				q.SetCount(uint64(round))
				q.ExplicitBounds().FromRaw([]float64{1, 2})
				q.BucketCounts().FromRaw([]uint64{uint64(round), 0, 0})
				fill(q.Exemplars())
				z := e.ExponentialHistogram().DataPoints().AppendEmpty()
				label(z, start, r.clock.Now(), []string{"id", fmt.Sprint(id)})
				z.SetCount(uint64(round))
				z.SetZeroCount(uint64(round))
				fill(z.Exemplars())
			}
		}
		return b.md
	}
	seen := func() map[string][]pmetric.Exemplar {
		out := map[string][]pmetric.Exemplar{}
		for _, md := range r.sink.drain() {
			for _, m := range md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
				var s pmetric.ExemplarSlice
				switch m.Type() {
				case pmetric.MetricTypeSum:
					s = m.Sum().DataPoints().At(0).Exemplars()
				case pmetric.MetricTypeHistogram:
					s = m.Histogram().DataPoints().At(0).Exemplars()
				default:
					s = m.ExponentialHistogram().DataPoints().At(0).Exemplars()
				}
				out[m.Name()] = []pmetric.Exemplar{}
				for _, e := range s.All() {
					out[m.Name()] = append(out[m.Name()], e)
				}
			}
		}
		return out
	}
	for round := 1; round <= 3; round++ {
		r.clock.Add(time.Second)
		r.send(step(round))
		for name, passed := range seen() {
			require.Len(t, passed, 1, name)
			require.Equal(t, map[string]any{"user": "u"}, passed[0].FilteredAttributes().AsRaw())
		}
		if round == 2 { // the points of the refused flush are not lost
			r.sink.refuse(errors.New("busy"))
			require.NoError(t, r.flush(context.Background(), false))
			r.sink.refuse(nil)
		}
		require.NoError(t, r.flush(context.Background(), false))
		got := seen()
		require.Len(t, got, 6)
		for name, kept := range got {
			want := 20
			if strings.HasPrefix(name, "latency") {
				want = 3 // one per bucket
			}
			require.Len(t, kept, want, name)
			for _, e := range kept {
				trace := e.TraceID()
				require.EqualValues(t, round, trace[0], "those of before have left")
				require.Equal(t, map[string]any{"user": "u", "id": fmt.Sprint(trace[1])}, e.FilteredAttributes().AsRaw())
			}
		}
		require.NoError(t, r.flush(context.Background(), false))
		for name, again := range seen() {
			require.Empty(t, again, name)
		}
		require.EqualValues(t, round*2*(10+10+27), r.counter("dropped_exemplars"))
	}
}

// The exemplars of senders are bounded, and their memory is released.
func TestExemplarsAreBounded(t *testing.T) {
	r := newRig(t, oneSeries)
	used := r.counter("tracker_bytes")
	b := newBatch("orders")
	points := b.sum("requests", delta, true)
	for id := range 2 {
		p := put(points, int64(2-id), r.clock.Now(), r.clock.Now(), "id", fmt.Sprint(id), "long", strings.Repeat("x", 5_000))
		for n := range 1_000 {
			e := p.Exemplars().AppendEmpty()
			e.SetIntValue(1)
			for i := range []int{5, 100}[n%2] { // there is memory for short exemplars only
				e.FilteredAttributes().PutStr(fmt.Sprint("label", i), strings.Repeat("y", 20))
			}
		}
	}
	r.send(b.md)
	r.sink.drain()
	require.EqualValues(t, 1_000-20, r.counter("dropped_exemplars"))
	held := r.counter("tracker_bytes")
	require.Greater(t, held, used+20*256)
	require.Less(t, held, used+200_000)
	require.NoError(t, r.flush(context.Background(), false))
	out := r.sink.drain()[0].ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).Sum().DataPoints().At(0)
	require.Equal(t, 20, out.Exemplars().Len())
	for _, e := range out.Exemplars().All() {
		require.LessOrEqual(t, e.FilteredAttributes().Len(), 32)
		_, long := e.FilteredAttributes().Get("long")
		require.False(t, long)
	}
	require.Less(t, r.counter("tracker_bytes"), held-20*256)
}
