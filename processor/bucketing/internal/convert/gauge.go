package convert

import (
	"fmt"
	"sort"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
	"github.com/otelcol-custom/otelcol-custom/internal/histpoint"
)

// gauge turns the points of each stream into one point of a delta histogram: a distribution of the
// values that they were. Points that cannot be, being not finite or without a value, stay.
func (j *job) gauge(m pmetric.Metric, siblings pmetric.MetricSlice) {
	points := m.Gauge().DataPoints()
	j.group.by(j, points)
	if j.rule.Exponential != nil {
		to := pmetric.NewExponentialHistogram()
		to.SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
		distribute(j, points, to.DataPoints(), storeGaugeExponential, ExponentialLayout)
		if to.DataPoints().Len() > 0 {
			to.MoveTo(home(m, points.Len(), siblings).SetEmptyExponentialHistogram())
		}
		return
	}
	to := pmetric.NewHistogram()
	to.SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
	distribute(j, points, to.DataPoints(), storeGaugeExplicit, ExplicitLayout)
	if to.DataPoints().Len() > 0 {
		to.MoveTo(home(m, points.Len(), siblings).SetEmptyHistogram())
	}
}

// group chains the points of each stream, in their order.
type group struct {
	first []int          // of each stream, in the order of their first points
	next  []int          // by point: the next of its stream, or none
	last  map[uint64]int // by stream
	stays []bool         // by point
}

const none = -1

// keptLast is the size up to which the map of streams is kept: a map does not shrink, and to clear it
// takes as long as the largest batch it was ever for, which is a sender's to choose.
const keptLast = 4096

// by groups the points that have a value; the others each stand for themselves.
func (g *group) by(j *job, points pmetric.NumberDataPointSlice) {
	g.first, g.next, g.stays = g.first[:0], g.next[:0], g.stays[:0]
	if g.last == nil || len(g.last) > keptLast {
		g.last = map[uint64]int{}
	}
	clear(g.last)
	for i, p := range points.All() {
		g.next, g.stays = append(g.next, none), append(g.stays, false)
		if !p.Flags().NoRecordedValue() {
			if err := checkValue(p); err != nil {
				g.stays[i] = true
				continue
			}
			id := j.identify(p.Attributes())
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

func checkValue(p pmetric.NumberDataPoint) error {
	if p.ValueType() == pmetric.NumberDataPointValueTypeEmpty {
		return fmt.Errorf("%w: gauge point without a value", histpoint.ErrInvalid)
	}
	if v := valueOf(p); v-v != 0 {
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

// distribute adds a point for each group to the target and leaves those that stay.
func distribute[P histpoint.Point, S histpoint.Slice[P]](j *job, points pmetric.NumberDataPointSlice, target S, store func(*job, P), to Layout) {
	target.EnsureCapacity(len(j.group.first))
	for _, first := range j.group.first {
		p, q := points.At(first), target.AppendEmpty()
		if p.Flags().NoRecordedValue() {
			j.refuse(verdict{reason: NoRecordedValue})
			q.SetFlags(p.Flags())
			q.SetStartTimestamp(p.StartTimestamp())
			q.SetTimestamp(p.Timestamp())
		} else {
			j.resetDistribution()
			earliest, latest := p.Timestamp(), p.Timestamp()
			for i := first; i != none; i = j.group.next[i] {
				point := points.At(i)
				earliest, latest = min(earliest, point.Timestamp()), max(latest, point.Timestamp())
				j.observe(valueOf(point))
				point.Exemplars().MoveAndAppendTo(q.Exemplars())
				j.converted(GaugeLayout, to)
			}
			// The interval excludes its start: the shortest that has all points.
			q.SetStartTimestamp(max(earliest, 1) - 1)
			q.SetTimestamp(latest)
			d := &j.distribution
			histpoint.SetTotals(q, histpoint.Totals{Sum: d.Sum, Min: d.Min, Max: d.Max, HasSum: true, HasMin: true, HasMax: true})
			store(j, q)
			j.worst = max(j.worst, 0)
		}
		p.Attributes().MoveTo(q.Attributes())
	}
	at := -1
	points.RemoveIf(func(p pmetric.NumberDataPoint) bool {
		at++
		if !j.group.stays[at] {
			return true
		}
		return j.refuse(verdict{reason: Invalid, err: checkValue(p)})
	})
}

// resetDistribution empties scratch space for one stream's values in the rule's layout.
func (j *job) resetDistribution() {
	maxSize := 0
	if e := j.rule.Exponential; e != nil {
		maxSize = e.MaxSize
	}
	d := &j.distribution
	if d.MaxSize() != max(maxSize, 2) {
		*d = *expo.New(maxSize)
	}
	d.Reset()
	if e := j.rule.Exponential; e != nil {
		d.ToScale(e.MaxScale)
		d.RaiseZero(e.ZeroThreshold)
		return
	}
	bounds, _ := j.rule.boundsIn(j.unit)
	clear(j.buckets(len(bounds) + 1))
	j.target.Bounds = bounds
}

// observe adds a value; with bounds the distribution has but its totals.
func (j *job) observe(v float64) {
	d := &j.distribution
	if j.rule.Exponential != nil {
		d.Record(v, 1)
		return
	}
	j.target.Counts[sort.SearchFloat64s(j.target.Bounds, v)]++
	d.Count, d.Sum, d.Min, d.Max = d.Count+1, d.Sum+v, min(d.Min, v), max(d.Max, v)
}

func storeGaugeExplicit(j *job, p pmetric.HistogramDataPoint) {
	j.target.Count = j.distribution.Count
	histpoint.StoreExplicit(p, &j.target)
}

func storeGaugeExponential(j *job, p pmetric.ExponentialHistogramDataPoint) {
	histpoint.StoreExponential(p, &j.distribution)
}
