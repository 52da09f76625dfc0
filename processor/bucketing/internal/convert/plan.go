package convert

import (
	"encoding/binary"
	"math"

	"github.com/otelcol-custom/otelcol-custom/internal/rebucket"
)

// plan is what a source layout becomes under a rule; at most one of apply's
// fields is set.
type plan struct {
	fromExplicit    *rebucket.Plan
	fromExponential *rebucket.ExponentialPlan
	bounds          []float64       // of the target, or between the buckets of an exponential one
	layout          rebucket.Layout // of an exponential target

	exact bool   // nothing is split, to a target that is the same for every source
	print uint64 // of the source's bounds

	merges bool // every bound of the target is one of the source: there is nothing to be known of a point

	refused bool
	reason  Reason
}

// maxCachedBounds keeps layouts of absurd size, which nothing but an attack sends,
// from filling the cache.
const maxCachedBounds = 1024

// Plans caches plans by rule and source layout. Safe for concurrent use.
type Plans struct {
	cache *rebucket.Cache[*plan]
}

// NewPlans returns a cache of at most size plans.
func NewPlans(size int) *Plans {
	return &Plans{cache: rebucket.NewCache[*plan](size)}
}

// Len returns the number of plans kept.
func (p *Plans) Len() int { return p.cache.Len() }

func appendKey(key []byte, rule *Rule, listed string, kind Layout) []byte {
	key = binary.LittleEndian.AppendUint32(key, uint32(rule.Index))
	key = append(key, byte(kind), byte(len(listed)))
	return append(key, listed...)
}

// explicit returns the plan for points with these bounds, which are valid.
func (p *Plans) explicit(s *scratch, rule *Rule, unit string, source []float64) *plan {
	target, listed := rule.boundsIn(unit)
	build := func() *plan { return buildExplicit(rule, target, source) }
	if len(source) > maxCachedBounds {
		return build()
	}
	s.key = appendKey(s.key[:0], rule, listed, ExplicitLayout)
	s.key = appendBounds(s.key, source)
	return p.cache.Get(s.key, build)
}

// exponential returns the plan to explicit bounds for points of this scale and
// zero threshold.
func (p *Plans) exponential(s *scratch, rule *Rule, unit string, scale int32, zeroThreshold float64) *plan {
	target, listed := rule.boundsIn(unit)
	s.key = appendKey(s.key[:0], rule, listed, ExponentialLayout)
	s.key = binary.LittleEndian.AppendUint32(s.key, uint32(scale))
	s.key = binary.LittleEndian.AppendUint64(s.key, math.Float64bits(zeroThreshold))
	return p.cache.Get(s.key, func() *plan {
		e := rebucket.NewExponentialPlan(target, scale, zeroThreshold, rule.Split)
		if rule.Forbid && !e.Exact() {
			return &plan{refused: true, reason: Forbidden}
		}
		return &plan{fromExponential: e, bounds: target, exact: e.Exact(), merges: e.Exact()}
	})
}

// between returns the plan from bounds to the target of another plan, for a stream whose target stays
// while its source changes.
func (p *Plans) between(s *scratch, rule *Rule, to *plan, source []float64) *plan {
	s.key = appendKey(s.key[:0], rule, "", Layouts)
	l := to.layout
	for _, n := range [...]int{len(to.bounds), l.Negative, l.Positive, int(l.Scale), int(l.NegativeOffset), int(l.PositiveOffset)} {
		s.key = binary.LittleEndian.AppendUint32(s.key, uint32(n))
	}
	s.key = binary.LittleEndian.AppendUint64(s.key, math.Float64bits(l.ZeroThreshold))
	s.key = appendBounds(appendBounds(s.key, to.bounds), source)
	return p.cache.Get(s.key, func() *plan {
		e := rebucket.NewPlan(to.bounds, source, rule.Split)
		if rule.Forbid && !e.Exact() {
			return &plan{refused: true, reason: Forbidden}
		}
		return &plan{fromExplicit: e, bounds: to.bounds, layout: to.layout}
	})
}

func appendBounds(key []byte, bounds []float64) []byte {
	for _, b := range bounds {
		key = binary.LittleEndian.AppendUint64(key, math.Float64bits(b))
	}
	return key
}

func (r *Rule) boundsIn(unit string) (bounds []float64, listed string) {
	if r.Explicit == nil {
		return nil, ""
	}
	return r.Explicit.In(unit)
}

func buildExplicit(rule *Rule, target, source []float64) *plan {
	result := &plan{print: fingerprint(source)}
	switch {
	case rule.Exponential != nil:
		e := rule.Exponential
		layout, ok := rebucket.NewLayout(source, e.MaxScale, e.MaxSize, e.ZeroThreshold)
		if !ok {
			return &plan{refused: true, reason: NoBuckets}
		}
		result.layout, target = layout, layout.Bounds()
		result.bounds = target
	case rule.Limit != nil:
		target = rebucket.Subset(source, rule.Limit.MaxBuckets, rule.Limit.Pin)
		// The point's bounds are scratch; the plan lives on.
		result.bounds = append([]float64(nil), target...)
	default:
		result.bounds = target
	}
	result.fromExplicit = rebucket.NewPlan(target, source, rule.Split)
	if rule.Forbid && !result.fromExplicit.Exact() {
		return &plan{refused: true, reason: Forbidden}
	}
	result.exact = rule.Explicit != nil && result.fromExplicit.Exact()
	result.merges = len(intersection(target, source)) == len(target)
	return result
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
