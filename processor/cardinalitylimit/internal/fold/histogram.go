package fold

import (
	"math"
	"slices"

	"github.com/otelcol-custom/otelcol-custom/internal/floats"
	"github.com/otelcol-custom/otelcol-custom/internal/rebucket"
)

// histogram is an explicit histogram, or a summary with count and sum and without bounds. counts has one more element than
// bounds. Bucket i counts the interval (bounds[i-1], bounds[i]], which includes its upper bound.
type histogram struct {
	count    uint64
	sum      float64
	min, max float64 // +Inf and -Inf if a part lacked it
	hasSum   bool
	hasMin   bool
	hasMax   bool
	bounds   []float64
	counts   []uint64
}

var _ measure = (*histogram)(nil)

func (m *histogram) add(d measure, n *Stats) {
	o := d.(*histogram)
	if m.count+o.count < m.count { // left out, because buckets that do not add up to the count are no histogram
		n[StatSaturated]++
		return
	}
	m.count += o.count
	m.hasSum, m.hasMin, m.hasMax = m.hasSum && o.hasSum, m.hasMin && o.hasMin, m.hasMax && o.hasMax
	m.sum = plus(m.sum, o.sum, n)
	m.min, m.max = min(m.min, o.min), max(m.max, o.max)
	if slices.Equal(m.bounds, o.bounds) {
		for i, c := range o.counts {
			m.counts[i] += c
		}
		return
	}
	if len(m.bounds) == 0 || len(o.bounds) == 0 {
		m.addUnplaced(o)
		return
	}
	n[StatRebucketed]++
	moved := make([]uint64, len(m.counts))
	rebucket.Explicit(m.bounds, o.bounds, o.counts, moved, rebucket.Log)
	for i, c := range moved {
		m.counts[i] += c
	}
}

// addUnplaced adds the buckets of o if one of both histograms has no bounds. Its observations are counted above the last bound.
// So they do not change the other buckets, and no bucket ever decreases. Count and sum have been added before.
func (m *histogram) addUnplaced(o *histogram) {
	last := len(m.counts) - 1
	if len(o.bounds) == 0 {
		m.counts[last] += o.count
		return
	}
	unplaced := m.counts[last]
	m.bounds, m.counts = o.bounds, slices.Clone(o.counts) // bounds are never written
	m.counts[len(m.counts)-1] += unplaced
}

// since compares values with other bounds at the bounds that both have, because the sender has changed its layout and continues
// to count.
func (m *histogram) since(prev measure) (measure, relation) {
	p := prev.(*histogram)
	if !slices.Equal(m.bounds, p.bounds) {
		return m.restated(prev)
	}
	if m.count < p.count {
		return nil, reset
	}
	d := m.difference(p, m.bounds)
	for i, c := range m.counts {
		if c < p.counts[i] {
			return nil, reset
		}
		d.counts[i] = c - p.counts[i]
	}
	return d, grown
}

func (m *histogram) restated(prev measure) (measure, relation) {
	p := prev.(*histogram)
	if m.count < p.count || m.hasSum && p.hasSum && m.sum < p.sum {
		return nil, reset
	}
	d := m.difference(p, rebucket.Shared(m.bounds, p.bounds))
	now, before := m.at(d.bounds), p.at(d.bounds)
	growth := envelope{total: d.count}
	for i := range d.counts {
		d.counts[i] = growth.next(now[i], before[i])
	}
	return d, grown
}

// difference returns the growth since p without the bucket counts.
func (m *histogram) difference(p *histogram, bounds []float64) *histogram {
	return &histogram{
		count: m.count - p.count, sum: floats.Clamp(m.sum - p.sum), hasSum: m.hasSum && p.hasSum,
		min: math.Inf(1), max: math.Inf(-1),
		bounds: bounds, counts: make([]uint64, len(bounds)+1),
	}
}

// at returns the counts between bounds. The histogram has all of these bounds.
func (m *histogram) at(bounds []float64) []uint64 {
	counts := make([]uint64, len(bounds)+1)
	to := 0
	for i, c := range m.counts {
		counts[to] += c
		if to < len(bounds) && i < len(m.bounds) && m.bounds[i] == bounds[to] {
			to++
		}
	}
	return counts
}

func (m *histogram) clone() measure {
	c := *m
	c.counts = slices.Clone(m.counts) // bounds are never written
	return &c
}

func (m *histogram) size() float64 { return float64(m.count) }

func (m *histogram) bytes() int { return 112 + 8*(len(m.bounds)+len(m.counts)) }
