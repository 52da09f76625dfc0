package fold

import (
	"math"
	"slices"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
	"github.com/otelcol-custom/otelcol-custom/internal/floats"
)

// exponential is an exponential histogram.
type exponential struct {
	*expo.Histogram
	hasSum, hasMin, hasMax bool
}

var _ measure = (*exponential)(nil)

func (m *exponential) add(d measure, n *Stats) {
	o := d.(*exponential)
	if m.Count+o.Count < m.Count { // left out, as in explicit histograms
		n[StatSaturated]++
		return
	}
	sum := plus(m.Sum, o.Sum, n)
	m.Merge(o.Histogram)
	m.Sum = sum
	m.hasSum, m.hasMin, m.hasMax = m.hasSum && o.hasSum, m.hasMin && o.hasMin, m.hasMax && o.hasMax
}

// since first brings both histograms to one scale and one zero threshold, because a growing stream may lower its scale and
// widen its threshold.
func (m *exponential) since(prev measure) (measure, relation) {
	p := prev.(*exponential)
	if m.Count < p.Count || expo.Restarted(p.Histogram, m.Histogram) {
		return nil, reset
	}
	d := m.clone().(*exponential)
	before := p.clone().(*exponential)
	before.Merge(frame(d.Histogram))
	d.Merge(frame(before.Histogram)) // the threshold may have been widened to the bound of a bucket
	if d.Scale != before.Scale {
		before.Merge(frame(d.Histogram))
	}
	if d.ZeroCount < before.ZeroCount ||
		!subtract(&d.Positive, &before.Positive) || !subtract(&d.Negative, &before.Negative) {
		return nil, reset
	}
	d.ZeroCount -= before.ZeroCount
	d.setGrowth(m, p)
	return d, grown
}

// restated compares the buckets of both histograms at a scale at which they fit together.
func (m *exponential) restated(prev measure) (measure, relation) {
	p := prev.(*exponential)
	if m.Count < p.Count || m.hasSum && p.hasSum && m.Sum < p.Sum {
		return nil, reset
	}
	d := m.clone().(*exponential)
	d.Merge(p.Histogram)
	now, before := m.clone().(*exponential), p.clone().(*exponential)
	now.Merge(frame(d.Histogram))
	before.Merge(frame(d.Histogram))
	d.setGrowth(m, p)
	growth := envelope{total: d.Count}
	for i := len(d.Negative.Counts) - 1; i >= 0; i-- { // the lowest value first
		at := int64(d.Negative.Offset) + int64(i)
		d.Negative.Counts[i] = growth.next(countAt(&now.Negative, at), countAt(&before.Negative, at))
	}
	d.ZeroCount = growth.next(now.ZeroCount, before.ZeroCount)
	for i := range d.Positive.Counts {
		at := int64(d.Positive.Offset) + int64(i)
		d.Positive.Counts[i] = growth.next(countAt(&now.Positive, at), countAt(&before.Positive, at))
	}
	return d, grown
}

// setGrowth sets all of m except the buckets to the difference between now and before.
func (m *exponential) setGrowth(now, before *exponential) {
	m.Count = now.Count - before.Count
	m.Sum = floats.Clamp(now.Sum - before.Sum)
	m.hasSum = now.hasSum && before.hasSum
	m.hasMin, m.hasMax = false, false
	m.Min, m.Max = math.Inf(1), math.Inf(-1)
}

func countAt(b *expo.Buckets, index int64) uint64 {
	if at := index - int64(b.Offset); at >= 0 && at < int64(len(b.Counts)) {
		return b.Counts[at]
	}
	return 0
}

// frame returns an empty histogram. Merging it into a histogram applies its scale and zero threshold.
func frame(h *expo.Histogram) *expo.Histogram {
	return &expo.Histogram{
		Scale: h.Scale, ZeroThreshold: h.ZeroThreshold, Min: math.Inf(1), Max: math.Inf(-1),
	}
}

// subtract subtracts b from a. It returns false if a bucket of a is lower than that of b.
func subtract(a, b *expo.Buckets) bool {
	for i, n := range b.Counts {
		if n == 0 {
			continue
		}
		at := int64(b.Offset) + int64(i) - int64(a.Offset)
		if at < 0 || at >= int64(len(a.Counts)) || a.Counts[at] < n {
			return false
		}
		a.Counts[at] -= n
	}
	return true
}

func (m *exponential) clone() measure {
	h := expo.New(m.MaxSize())
	h.Scale, h.ZeroThreshold, h.ZeroCount = m.Scale, m.ZeroThreshold, m.ZeroCount
	h.Count, h.Sum, h.Min, h.Max = m.Count, m.Sum, m.Min, m.Max
	h.Positive = expo.Buckets{Offset: m.Positive.Offset, Counts: slices.Clone(m.Positive.Counts)}
	h.Negative = expo.Buckets{Offset: m.Negative.Offset, Counts: slices.Clone(m.Negative.Counts)}
	return &exponential{Histogram: h, hasSum: m.hasSum, hasMin: m.hasMin, hasMax: m.hasMax}
}

func (m *exponential) size() float64 { return float64(m.Count) }

// bytes is the maximum size: maxBuckets words per sign.
func (m *exponential) bytes() int { return 224 + 2*8*maxBuckets }

// maxBuckets is the maximum number of buckets per sign, the default of SDKs.
const maxBuckets = expo.DefaultMaxSize
