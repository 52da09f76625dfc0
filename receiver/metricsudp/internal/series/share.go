package series

import (
	"math"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/unique"
)

// part is what one reader adds to one series in one epoch. Only the share of the
// series' kind is in use.
type part struct {
	used    bool // it is in the epoch's list
	counter counterShare
	gauge   gaugeShare
	dist    distShare
	members *unique.Counter
}

// counterShare sums either whole numbers and a fraction, or reals.
type counterShare struct {
	whole    int64
	fraction float64 // of int counters; in [0, 1) but between merge and settle
	real     float64
}

// addWhole stops at the ends of int64.
func (c *counterShare) addWhole(n int64) {
	sum := c.whole + n
	if (sum > c.whole) == (n > 0) {
		c.whole = sum
	} else if n > 0 {
		c.whole = math.MaxInt64
	} else if n < 0 {
		c.whole = math.MinInt64
	}
}

// addInt counts v/rate. The caller has made sure that it fits an int64.
func (c *counterShare) addInt(v *line.Value, rate float64) {
	if rate == 1 && v.Whole {
		c.addWhole(v.Int)
		return
	}
	x := v.Float / rate
	floor := math.Floor(x)
	c.fraction += x - floor
	c.addWhole(int64(floor))
	if c.fraction >= 1 {
		c.settle()
	}
}

func (c *counterShare) merge(o *counterShare) {
	c.addWhole(o.whole)
	c.fraction += o.fraction
	c.real += o.real
}

func (c *counterShare) settle() {
	floor := math.Floor(c.fraction)
	c.fraction -= floor
	c.addWhole(int64(floor))
}

// gaugeShare is the last absolute value, if any, and the sum of the changes since.
// Times are of receipt, in nanoseconds of any common clock.
type gaugeShare struct {
	absolute   float64
	relative   float64
	absoluteAt int64
	relativeAt int64 // of the last change
	set        bool  // there is an absolute value
}

func (g *gaugeShare) write(v *line.Value, at int64) {
	if v.Signed {
		g.relative += v.Float
		g.relativeAt = at
		return
	}
	*g = gaugeShare{absolute: v.Float, absoluteAt: at, relativeAt: at, set: true}
}

// merge lets the later absolute value win. Changes that another reader received
// after it are added; those before it were overwritten by it. As a share keeps the
// sum of its changes and the time of the last, changes of one reader around an
// absolute value of another count as after it.
func (g *gaugeShare) merge(o *gaugeShare) {
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
func (g *gaugeShare) apply(before float64) float64 {
	if g.set {
		before = g.absolute
	}
	// Changes of up to 1e290 each could in theory add up to an infinity.
	return math.Max(-math.MaxFloat64, math.Min(math.MaxFloat64, before+g.relative))
}

// distShare is a distribution of values. A sample rate makes a value count 1/rate
// times; the fraction is carried to the next value.
type distShare struct {
	histogram *expo.Histogram
	carry     float64
	last      float64 // value that the carry stands for
}

func (d *distShare) observe(v, rate float64) {
	if d.histogram == nil {
		d.histogram = expo.New(MaxBuckets)
	}
	if rate == 1 {
		d.histogram.Record(v, 1)
		return
	}
	weight := 1/rate + d.carry
	n := math.Floor(weight)
	d.carry, d.last = weight-n, v
	d.histogram.Record(v, uint64(n))
}

func (d *distShare) merge(o *distShare) {
	if d.histogram == nil {
		d.histogram = expo.New(MaxBuckets)
	}
	d.histogram.Merge(o.histogram)
	if o.carry > 0 {
		d.carry += o.carry
		d.last = o.last
	}
}

func (d *distShare) settle() {
	if d.carry < 1 {
		return
	}
	n := math.Floor(d.carry)
	d.carry -= n
	d.histogram.Record(d.last, uint64(n))
}

func (d *distShare) reset() {
	d.histogram.Reset()
	d.carry = 0
}
