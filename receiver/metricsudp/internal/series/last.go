package series

import (
	"math"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
)

// lasts is the aggregator of gauges.
type lasts struct{ signed SignedGauges }

func (lasts) aggregation() Aggregation { return Last }

func (lasts) local(int) *local {
	var x struct {
		local
		lastShare
	}
	x.share = &x.lastShare
	return &x.local
}

func (lasts) localBytes() int { return 112 }

func (a lasts) value() value {
	return &LastValue{intervalsBeginAtZero: a.signed == SignedIsIntervalChange}
}

func (lasts) trim() {}

type lastShare [2]last

var _ share = (*lastShare)(nil)

func (s *lastShare) add(half int, l *line.Line, at int64, t *Table, _ bool) bool {
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
	merged last    // what came since the last settle

	intervalsBeginAtZero bool
}

var _ value = (*LastValue)(nil)

func (v *LastValue) merge(from share, half int) bool {
	s := &from.(*lastShare)[half]
	v.merged.merge(s)
	*s = last{}
	return true
}

// settle leaves the value alone where nothing came: a pending series is settled at each flush.
func (v *LastValue) settle() {
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

// clear keeps the value: it outlives the interval.
func (v *LastValue) clear() {}

// last is the last absolute value, if any, and the sum of the changes since.
// Times are of receipt, in nanoseconds of any common clock.
type last struct {
	absolute   float64
	relative   float64
	absoluteAt int64
	relativeAt int64 // of the last change
	set        bool  // there is an absolute value
}

func (g *last) write(v float64, change bool, at int64) {
	if change {
		g.relative += v
		g.relativeAt = at
		return
	}
	*g = last{absolute: v, absoluteAt: at, relativeAt: at, set: true}
}

// merge lets the later absolute value win. Changes that another reader received
// after it are added; those before it were overwritten by it. As a share keeps the
// sum of its changes and the time of the last, changes of one reader around an
// absolute value of another count as after it.
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

// apply returns the gauge's value after the share; before is 0 for an unknown one.
func (g *last) apply(before float64) float64 {
	if g.set {
		before = g.absolute
	}
	// Changes of up to 1e290 each could in theory add up to an infinity.
	return math.Max(-math.MaxFloat64, math.Min(math.MaxFloat64, before+g.relative))
}
