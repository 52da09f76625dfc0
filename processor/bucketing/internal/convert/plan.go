package convert

import (
	"encoding/binary"
	"math"

	"github.com/otelcol-custom/otelcol-custom/internal/rebucket"
)

// plan is how the counts of one source layout become those of a target. Immutable.
type plan struct {
	target
	fromExplicit    *rebucket.Plan            // of an explicit source
	fromExponential *rebucket.ExponentialPlan // of an exponential source

	exact bool   // nothing is split or assumed, to a target that is the same for every source
	print uint64 // of an explicit source's bounds

	merges bool // every bound of the target is one of the source: a point's own counts and range change nothing
}

// planned is a plan, or why there is none.
type planned struct {
	plan   *plan
	reason Reason
}

// maxCachedBounds keeps layouts of absurd size, which nothing but an attack sends,
// from filling the cache.
const maxCachedBounds = 1024

// Plans caches plans by rule and source layout. Safe for concurrent use.
type Plans struct {
	cache *rebucket.Cache[planned]
}

// NewPlans returns a cache of at most size plans.
func NewPlans(size int) *Plans {
	return &Plans{cache: rebucket.NewCache[planned](size)}
}

// Len returns the number of plans kept.
func (p *Plans) Len() int { return p.cache.Len() }

// planner finds the plans for the points of one metric. Not safe for concurrent use.
type planner struct {
	plans *Plans
	rule  *Rule
	unit  string
	key   []byte // scratch
}

// begin turns to another metric.
func (p *planner) begin(rule *Rule, unit string) { p.rule, p.unit = rule, unit }

// fromBounds returns the plan for points with these bounds, which are valid.
func (p *planner) fromBounds(source []float64) planned {
	bounds, listed := p.rule.boundsIn(p.unit)
	build := func() planned { return buildExplicit(p.rule, bounds, source) }
	if len(source) > maxCachedBounds {
		return build()
	}
	p.beginKey(listed, ExplicitLayout)
	p.addBounds(source)
	return p.plans.cache.Get(p.key, build)
}

// fromScale returns the plan to explicit bounds for points of this scale and
// zero bucket.
func (p *planner) fromScale(scale int32, zeroThreshold float64, zero rebucket.ZeroSide) planned {
	bounds, listed := p.rule.boundsIn(p.unit)
	p.beginKey(listed, ExponentialLayout)
	p.key = binary.LittleEndian.AppendUint32(p.key, uint32(scale))
	p.key = binary.LittleEndian.AppendUint64(p.key, math.Float64bits(zeroThreshold))
	p.key = append(p.key, byte(zero))
	return p.plans.cache.Get(p.key, func() planned {
		e := rebucket.NewExponentialPlan(bounds, scale, zeroThreshold, zero, p.rule.Split)
		if p.rule.Forbid && e.Splits() {
			return planned{reason: Forbidden}
		}
		return planned{plan: &plan{target: target{bounds: bounds}, fromExponential: e, exact: e.Exact(), merges: e.Exact()}}
	})
}

// toTarget returns the plan from bounds to a target that is already chosen: a stream's, which stays while its
// source changes.
func (p *planner) toTarget(to *target, source []float64) planned {
	p.beginKey("", Layouts)
	l := &to.layout
	for _, n := range [...]int{len(to.bounds), l.Negative, l.Positive, int(l.Scale), int(l.NegativeOffset), int(l.PositiveOffset)} {
		p.key = binary.LittleEndian.AppendUint32(p.key, uint32(n))
	}
	p.key = binary.LittleEndian.AppendUint64(p.key, math.Float64bits(l.ZeroThreshold))
	p.addBounds(to.bounds)
	p.addBounds(source)
	return p.plans.cache.Get(p.key, func() planned {
		e := to.planFrom(source, p.rule.Split)
		if p.rule.Forbid && e.Splits() {
			return planned{reason: Forbidden}
		}
		return planned{plan: &plan{target: *to, fromExplicit: e}}
	})
}

func (p *planner) beginKey(listed string, kind Layout) {
	p.key = binary.LittleEndian.AppendUint32(p.key[:0], uint32(p.rule.Index))
	p.key = append(p.key, byte(kind), byte(len(listed)))
	p.key = append(p.key, listed...)
}

func (p *planner) addBounds(bounds []float64) {
	for _, b := range bounds {
		p.key = binary.LittleEndian.AppendUint64(p.key, math.Float64bits(b))
	}
}

func (r *Rule) boundsIn(unit string) (bounds []float64, listed string) {
	if r.Explicit == nil {
		return nil, ""
	}
	return r.Explicit.In(unit)
}

func buildExplicit(rule *Rule, bounds, source []float64) planned {
	to := target{bounds: bounds}
	switch {
	case rule.Exponential != nil:
		e := rule.Exponential
		layout, ok := rebucket.NewLayout(source, e.MaxScale, e.MaxSize, e.ZeroThreshold)
		if !ok {
			return planned{reason: NoBuckets}
		}
		to = target{bounds: layout.Bounds(), layout: layout}
	case rule.Limit != nil:
		// The point's bounds are scratch; the plan lives on.
		to.bounds = append([]float64(nil), rebucket.Subset(source, rule.Limit.MaxBuckets, rule.Limit.Pin)...)
	}
	e := to.planFrom(source, rule.Split)
	if rule.Forbid && e.Splits() {
		return planned{reason: Forbidden}
	}
	return planned{plan: &plan{
		target: to, fromExplicit: e,
		exact:  rule.Explicit != nil && e.Exact(),
		print:  fingerprint(source),
		merges: len(intersection(to.bounds, source)) == len(to.bounds),
	}}
}

func fingerprint(bounds []float64) uint64 {
	id := identity.String("bounds")
	for _, b := range bounds {
		id = identity.Combine(id, valueBits(b))
	}
	return id
}

// valueBits are equal for equal values: those of negative zero are those of zero.
func valueBits(v float64) uint64 { return math.Float64bits(v + 0) }
