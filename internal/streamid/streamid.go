// Package streamid gives metric streams a 64-bit identity.
//
// A stream is what the OpenTelemetry data model says it is: resource, scope,
// metric name, unit, type, temporality, monotonicity and datapoint attributes
// with their types. Two spellings of one stream (attributes in another order)
// have one identity; two streams have different ones but for the chance
// collision of 64 bits, about n^2/2^65 for n streams (1M: 3e-8).
//
// The hash is SipHash-1-3 of the texts under a seed, combined by means that need
// their arguments to be unpredictable: a sender who does not know the seed cannot
// construct streams that share an identity.
//
// Specification: https://opentelemetry.io/docs/specs/otel/metrics/data-model/#opentelemetry-protocol-data-model-producer-recommendations
package streamid

import (
	"math/bits"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// Hasher computes identities. It is a value without state but its seed, safe for
// concurrent use, and none of its methods allocates.
//
// Hashes of the outer levels are handed down, so that a batch pays for resource
// and scope once: Resource, then Scope, then Metric, then Point.
type Hasher struct {
	key  key    // of texts
	seed uint64 // of everything else
}

// New returns a Hasher; equal seeds give equal identities, in this process and the
// next. Where senders must not be able to construct collisions the seed is random
// and stays secret: 64 bits are enough, since no identity is ever shown to a sender,
// who has nothing to try a guess on.
func New(seed uint64) Hasher {
	return Hasher{key: key{mix(seed ^ tagKey), mix(seed ^ tagKey + 1)}, seed: mix(seed ^ tagSeed)}
}

// Tags separate the levels and the value types: equal bytes in different roles
// must hash differently.
const (
	tagSeed uint64 = (0x9e3779b97f4a7c15 * (iota + 1)) & (1<<64 - 1)
	tagKey
	tagResource
	tagScope
	tagMetric
	tagPoint
	tagPair
	tagEmpty
	tagString
	tagBool
	tagInt
	tagDouble
	tagBytes
	tagSlice
	tagMap
)

// String hashes s.
func (h *Hasher) String(s string) uint64 { return h.key.sip(s) }

// Combine hashes b under a; the order matters. One of them is to be a hash already. It folds the 128-bit product, which
// is one multiplication; the constants (digits of the square roots of 2 and 3) keep
// the factors of small arguments from zero.
func (h *Hasher) Combine(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a^0x6a09e667f3bcc909, b^0xbb67ae8584caa73b)
	return hi ^ lo
}

// Pair hashes one attribute. An attribute set is the sum of its pairs, see
// [Hasher.Point]; the sum, unlike exclusive or, does not cancel duplicates.
func (h *Hasher) Pair(key string, v pcommon.Value) uint64 {
	return h.PairOf(h.String(key), h.Value(v))
}

// PairOf is Pair of the hashes of key and value.
func (h *Hasher) PairOf(key, value uint64) uint64 {
	return h.Combine(key^tagPair, value)
}

// Attributes is the sum of the pairs of m: independent of order.
func (h *Hasher) Attributes(m pcommon.Map) uint64 {
	return h.attributes(m, 0)
}

// Resource hashes a resource.
func (h *Hasher) Resource(r pcommon.Resource) uint64 {
	return mix(h.seed ^ tagResource ^ h.Attributes(r.Attributes()))
}

// Scope hashes an instrumentation scope under its resource.
func (h *Hasher) Scope(resource uint64, s pcommon.InstrumentationScope) uint64 {
	id := h.Combine(resource^tagScope, h.String(s.Name()))
	id = h.Combine(id, h.String(s.Version()))
	return h.Combine(id, h.Attributes(s.Attributes()))
}

// Metric hashes what a metric is, without where it comes from: name, unit, type,
// temporality and monotonicity. Combine it with a scope's hash for the identity.
func (h *Hasher) Metric(m pmetric.Metric) uint64 {
	id := h.Combine(h.String(m.Name())^tagMetric, h.String(m.Unit()))
	kind := uint64(m.Type()) << 8
	switch m.Type() {
	case pmetric.MetricTypeSum:
		kind |= uint64(m.Sum().AggregationTemporality()) << 1
		if m.Sum().IsMonotonic() {
			kind |= 1
		}
	case pmetric.MetricTypeHistogram:
		kind |= uint64(m.Histogram().AggregationTemporality()) << 1
	case pmetric.MetricTypeExponentialHistogram:
		kind |= uint64(m.ExponentialHistogram().AggregationTemporality()) << 1
	}
	return h.Combine(id, kind)
}

// Point hashes an attribute set, given as the sum of its pairs, under what
// contains it: the identity of a stream. With zero as the container it is the
// identity of the attribute set alone.
func (h *Hasher) Point(container, attributes uint64) uint64 {
	return h.Combine(container^tagPoint, attributes)
}

// mix is the finaliser of MurmurHash3 with the constants of Stafford's variant
// 13: every input bit changes every output bit with a chance of one half.
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}
