package convert

import (
	"encoding/binary"
	"math"

	"github.com/otelcol-custom/otelcol-custom/internal/rebucket"
)

// plan converts the counts of one source layout to a target. It is immutable.
type plan struct {
	target
	fromExplicit    *rebucket.Plan            // if the source is explicit
	fromExponential *rebucket.ExponentialPlan // if the source is exponential

	exact       bool   // the plan splits and assumes nothing, and its target does not depend on the source
	fingerprint uint64 // of an explicit source's bounds

	merges bool // every target bound is a source bound, so the counts and the range of a point do not affect the result
}

// planned is a plan, or the reason why a layout has none.
type planned struct {
	plan   *plan
	reason Reason
}

// maxCachedBounds is the largest number of bounds of a cached layout. Larger layouts, which only an attacker sends,
// cannot fill the cache.
const maxCachedBounds = 1024

// Plans caches plans by rule and source layout. It is safe for concurrent use.
type Plans struct {
	cache *rebucket.Cache[planned]
}

// NewPlans returns a cache of at most size plans.
func NewPlans(size int) *Plans {
	return &Plans{cache: rebucket.NewCache[planned](size)}
}

// Len returns the number of cached plans.
func (p *Plans) Len() int { return p.cache.Len() }

// planner returns the plans for the points of one metric. It is not safe for concurrent use.
type planner struct {
	plans *Plans
	rule  *Rule
	unit  string
	key   []byte // of the cache; the memory is reused
}

// begin prepares for the points of a metric.
func (p *planner) begin(rule *Rule, unit string) { p.rule, p.unit = rule, unit }

// fromBounds returns the plan for points with these bounds, which must be valid.
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

// fromScale returns the plan to explicit bounds for points with this scale and zero bucket.
func (p *planner) fromScale(scale int32, zeroThreshold float64, zeroSide rebucket.ZeroSide) planned {
	bounds, listed := p.rule.boundsIn(p.unit)
	p.beginKey(listed, ExponentialLayout)
	p.key = binary.LittleEndian.AppendUint32(p.key, uint32(scale))
	p.key = binary.LittleEndian.AppendUint64(p.key, math.Float64bits(zeroThreshold))
	p.key = append(p.key, byte(zeroSide))
	return p.plans.cache.Get(p.key, func() planned {
		e := rebucket.NewExponentialPlan(bounds, scale, zeroThreshold, zeroSide, p.rule.Split)
		if p.rule.Forbid && e.Splits() {
			return planned{reason: Forbidden}
		}
		return planned{plan: &plan{target: target{bounds: bounds}, fromExponential: e, exact: e.Exact(), merges: e.Exact()}}
	})
}

// toTarget returns the plan from source bounds to a given target. It serves streams: the target of a stream stays the same
// when its source layout changes.
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

// beginKey sets the key to the part that is common to all kinds of plans.
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

// boundsIn returns the explicit target bounds for a unit and the name under which they are listed, or nothing if the
// target is not explicit.
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
		// The source's memory will be reused, and the plan needs its own copy.
		to.bounds = append([]float64(nil), rebucket.Subset(source, rule.Limit.MaxBuckets, rule.Limit.Pin)...)
	}
	e := to.planFrom(source, rule.Split)
	if rule.Forbid && e.Splits() {
		return planned{reason: Forbidden}
	}
	return planned{plan: &plan{
		target: to, fromExplicit: e,
		exact:       rule.Explicit != nil && e.Exact(),
		fingerprint: fingerprintOf(source),
		merges:      len(rebucket.Shared(to.bounds, source)) == len(to.bounds),
	}}
}

// fingerprintOf returns a hash of the bounds.
func fingerprintOf(bounds []float64) uint64 {
	id := identity.String("bounds")
	for _, b := range bounds {
		id = identity.Combine(id, valueBits(b))
	}
	return id
}

// valueBits returns bits that are equal for equal values: negative zero has the bits of zero.
func valueBits(v float64) uint64 { return math.Float64bits(v + 0) }
