package cardinalitylimit

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
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
