package convert

import (
	"fmt"
	"slices"
	"sort"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
	"github.com/otelcol-custom/otelcol-custom/internal/floats"
	"github.com/otelcol-custom/otelcol-custom/internal/histpoint"
)

// gauge converts the points of each stream to one point of a delta histogram, which is the distribution of their values.
// Invalid points remain: those that have no value or one that is not finite.
func (j *job) gauge(m pmetric.Metric, siblings pmetric.MetricSlice) {
	points := m.Gauge().DataPoints()
	j.gauges.begin(points, j.identify)
	if j.rule.Exponential != nil {
		to := pmetric.NewExponentialHistogram()
		to.SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
		distribute(j, points, to.DataPoints(), storeGaugeExponential, ExponentialLayout)
		if to.DataPoints().Len() > 0 {
			to.MoveTo(metricFor(m, points.Len(), siblings).SetEmptyExponentialHistogram())
		}
		return
	}
	to := pmetric.NewHistogram()
	to.SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
	distribute(j, points, to.DataPoints(), storeGaugeExplicit, ExplicitLayout)
	if to.DataPoints().Len() > 0 {
		to.MoveTo(metricFor(m, points.Len(), siblings).SetEmptyHistogram())
	}
}

// gauges computes the distributions of the values of streams. It reuses its memory for all metrics.
type gauges struct {
	group
	rule *Rule

	distribution expo.Histogram     // for an explicit target it has the totals only
	explicit     histpoint.Explicit // counts in the target's bounds
}

// group links the points of each stream, in their order. The fields contain indexes of points.
type group struct {
	first   []int          // the first point of each stream
	next    []int          // by point: the next point of its stream, or none
	last    map[uint64]int // by stream
	invalid []bool         // by point
}

const none = -1

// maxReusedStreams bounds the size of the map that is reused. A map does not shrink: clearing it needs time for the
// largest batch for which it was ever used, and a sender chooses the size of a batch.
const maxReusedStreams = 4096

// begin groups the valid points by stream. A point without recorded value is a group of its own.
func (g *group) begin(points pmetric.NumberDataPointSlice, identify func(pcommon.Map) uint64) {
	g.first, g.next, g.invalid = g.first[:0], g.next[:0], g.invalid[:0]
	if g.last == nil || len(g.last) > maxReusedStreams {
		g.last = map[uint64]int{}
	}
	clear(g.last)
	for i, p := range points.All() {
		g.next, g.invalid = append(g.next, none), append(g.invalid, false)
		if !p.Flags().NoRecordedValue() {
			if err := checkValue(p); err != nil {
				g.invalid[i] = true
				continue
			}
			id := identify(p.Attributes())
			last, known := g.last[id]
			g.last[id] = i
			if known {
				g.next[last] = i
				continue
			}
		}
		g.first = append(g.first, i)
	}
}

// reset prepares an empty distribution in the rule's layout for the values of a stream.
func (g *gauges) reset(rule *Rule, unit string) {
	g.rule = rule
	maxSize := 0
	if e := rule.Exponential; e != nil {
		maxSize = e.MaxSize
	}
	d := &g.distribution
	if d.MaxSize() != max(maxSize, 2) {
		*d = *expo.New(maxSize)
	}
	d.Reset()
	if e := rule.Exponential; e != nil {
		d.ToScale(e.MaxScale)
		d.RaiseZero(e.ZeroThreshold)
		return
	}
	g.explicit.Bounds, _ = rule.boundsIn(unit)
	n := len(g.explicit.Bounds) + 1
	g.explicit.Counts = slices.Grow(g.explicit.Counts[:0], n)[:n]
	clear(g.explicit.Counts)
}

// observe adds a value to the distribution.
func (g *gauges) observe(v float64) {
	d := &g.distribution
	if g.rule.Exponential != nil {
		d.Record(v, 1)
		return
	}
	g.explicit.Counts[sort.SearchFloat64s(g.explicit.Bounds, v)]++
	d.Count, d.Sum, d.Min, d.Max = d.Count+1, d.Sum+v, min(d.Min, v), max(d.Max, v)
}

func (g *gauges) totals() histpoint.Totals {
	d := &g.distribution
	return histpoint.Totals{Sum: d.Sum, Min: d.Min, Max: d.Max, HasSum: true, HasMin: true, HasMax: true}
}

func checkValue(p pmetric.NumberDataPoint) error {
	if p.ValueType() == pmetric.NumberDataPointValueTypeEmpty {
		return fmt.Errorf("%w: gauge point without a value", histpoint.ErrInvalid)
	}
	if v := valueOf(p); !floats.IsFinite(v) {
		return fmt.Errorf("%w: gauge value is %v", histpoint.ErrInvalid, v)
	}
	return nil
}

func valueOf(p pmetric.NumberDataPoint) float64 {
	if p.ValueType() == pmetric.NumberDataPointValueTypeInt {
		return float64(p.IntValue())
	}
	return p.DoubleValue()
}

// distribute appends a point for each group to the target. It leaves or drops the invalid points.
func distribute[P histpoint.Point, S histpoint.Slice[P]](j *job, points pmetric.NumberDataPointSlice, target S, store func(*job, P), to Layout) {
	g, unit := &j.gauges, j.metric.Unit()
	target.EnsureCapacity(len(g.first))
	for _, first := range g.first {
		p, q := points.At(first), target.AppendEmpty()
		if p.Flags().NoRecordedValue() {
			j.countUnconverted(verdict{reason: NoRecordedValue})
			q.SetFlags(p.Flags())
			q.SetStartTimestamp(p.StartTimestamp())
			q.SetTimestamp(p.Timestamp())
		} else {
			g.reset(j.rule, unit)
			earliest, latest := p.Timestamp(), p.Timestamp()
			for i := first; i != none; i = g.next[i] {
				point := points.At(i)
				earliest, latest = min(earliest, point.Timestamp()), max(latest, point.Timestamp())
				g.observe(valueOf(point))
				point.Exemplars().MoveAndAppendTo(q.Exemplars())
				j.countConverted(GaugeLayout, to)
			}
			// The shortest interval with all points. An interval does not include its start.
			q.SetStartTimestamp(max(earliest, 1) - 1)
			q.SetTimestamp(latest)
			histpoint.SetTotals(q, g.totals())
			store(j, q)
			j.maxRankError = max(j.maxRankError, 0)
		}
		p.Attributes().MoveTo(q.Attributes())
	}
	at := -1
	points.RemoveIf(func(p pmetric.NumberDataPoint) bool {
		at++
		if !g.invalid[at] {
			return true
		}
		return j.countUnconverted(verdict{reason: Invalid, err: checkValue(p)})
	})
}

func storeGaugeExplicit(j *job, p pmetric.HistogramDataPoint) {
	j.gauges.explicit.Count = j.gauges.distribution.Count
	histpoint.StoreExplicit(p, &j.gauges.explicit)
}

func storeGaugeExponential(j *job, p pmetric.ExponentialHistogramDataPoint) {
	histpoint.StoreExponential(p, &j.gauges.distribution)
}
