package series

import (
	"math"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
)

// lasts is the aggregator of gauges.
type lasts struct{ signed SignedGauges }

func (lasts) aggregation() Aggregation { return Last }

func (lasts) newPart(int) *part {
	var x struct {
		part
		lastAccumulator
	}
	x.accumulator = &x.lastAccumulator
	return &x.part
}

func (lasts) partSize() int { return 112 }

func (a lasts) newSeries() *Series {
	return withValue(LastValue{intervalsBeginAtZero: a.signed == SignedIsIntervalChange})
}

func (lasts) trim() {}

type lastAccumulator [2]last

var _ accumulator = (*lastAccumulator)(nil)

func (s *lastAccumulator) add(half int, l *line.Line, at int64, t *Table, _ bool) bool {
	to := &s[half]
	for i := range l.Values {
		v := &l.Values[i]
		to.write(v.Float, v.Signed && t.options.SignedGauges != SignedIsAbsolute, at)
	}
	return true
}

// LastValue is a gauge.
type LastValue struct {
	Gauge  float64 // the present value
	merged last    // values since the last finishMerge

	intervalsBeginAtZero bool
}

var _ value = (*LastValue)(nil)

func (v *LastValue) merge(from accumulator, half int) bool {
	s := &from.(*lastAccumulator)[half]
	v.merged.merge(s)
	*s = last{}
	return true
}

// finishMerge leaves the value unchanged if no line came since the last call. It is called at each flush while the series is
// pending.
func (v *LastValue) finishMerge() {
	switch {
	case v.merged == last{}:
		return
	case v.intervalsBeginAtZero:
		v.Gauge = v.merged.apply(0)
	default:
		v.Gauge = v.merged.apply(v.Gauge)
	}
	v.merged = last{}
}

// clear keeps the value, because a gauge keeps its value beyond the interval.
func (v *LastValue) clear() {}

// last is the last absolute value, if any, and the sum of the changes after it. Times are times of receipt, in nanoseconds of a
// clock that all readers share.
type last struct {
	absolute   float64
	relative   float64 // sum of the changes
	absoluteAt int64   // time of the absolute value
	relativeAt int64   // time of the last change
	set        bool    // whether an absolute value came
}

func (g *last) write(v float64, change bool, at int64) {
	if change {
		g.relative += v
		g.relativeAt = at
		return
	}
	*g = last{absolute: v, absoluteAt: at, relativeAt: at, set: true}
}

// merge keeps the later absolute value. It adds changes that another reader received after that value, and drops changes from
// before it, because the value has overwritten them. An accumulator keeps only the sum of its changes and the time of the last
// one. So if one reader received changes before and after an absolute value of another reader, all of them count as after it.
func (g *last) merge(o *last) {
	later, earlier := o, g
	if g.set && (!o.set || g.absoluteAt > o.absoluteAt) {
		later, earlier = g, o
	}
	merged := *later
	if !later.set || earlier.relativeAt > later.absoluteAt {
		merged.relative += earlier.relative
	}
	merged.relativeAt = max(g.relativeAt, o.relativeAt)
	*g = merged
}

// apply returns the gauge's new value. before is its value until now, 0 if it had none.
func (g *last) apply(before float64) float64 {
	if g.set {
		before = g.absolute
	}
	// The sum is clamped: changes of up to 1e290 each could in theory add up to infinity.
	return math.Max(-math.MaxFloat64, math.Min(math.MaxFloat64, before+g.relative))
}
