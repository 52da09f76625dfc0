// Package streamid computes 64-bit identities of metric streams.
//
// By the OpenTelemetry data model the parts of a stream's identity are resource, scope, metric name, unit, type,
// temporality, monotonicity, and the datapoint attributes with their types. The order of attributes does not matter.
// Two streams share an identity only by a random collision of 64 bits, whose probability is about n^2/2^65 for n
// streams (3e-8 for a million).
//
// Texts are hashed with SipHash-1-3 under a seed, and the hashes are combined by functions that rely on unpredictable
// arguments. A sender who does not know the seed cannot construct streams that share an identity.
//
// Specification: https://opentelemetry.io/docs/specs/otel/metrics/data-model/#opentelemetry-protocol-data-model-producer-recommendations
package streamid

import (
	"math/bits"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// Hasher computes identities. Its only state is the seed. It is safe for concurrent use, and its methods do not
// allocate.
//
// The hash of an outer level is an argument of the next one: Resource, then Scope, then Metric, then Point. So a batch
// pays for resource and scope once.
type Hasher struct {
	key  key    // for texts
	seed uint64 // for all other values
}

// New returns a Hasher. Equal seeds give equal identities, also in another process. To prevent senders from
// constructing collisions, choose a random seed and keep it secret. 64 bits are enough for that: a sender never sees an
// identity, so it cannot test a guess.
func New(seed uint64) Hasher {
	return Hasher{key: key{mix(seed ^ tagKey), mix(seed ^ tagKey + 1)}, seed: mix(seed ^ tagSeed)}
}

// Tags separate the levels and the value types: equal bytes must have different hashes in different roles.
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

// Combine hashes b under a. The order matters, and at least one of them must be a hash. It folds the 128-bit product,
// which costs one multiplication. The constants, digits of the square roots of 2 and 3, keep the factors of small
// arguments away from zero.
func (h *Hasher) Combine(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a^0x6a09e667f3bcc909, b^0xbb67ae8584caa73b)
	return hi ^ lo
}

// Pair hashes one attribute. The hash of an attribute set is the sum of its pairs, see [Hasher.Point]. In a sum, unlike
// in an exclusive or, duplicates do not cancel out.
func (h *Hasher) Pair(key string, v pcommon.Value) uint64 {
	return h.PairOf(h.String(key), h.Value(v))
}

// PairOf hashes one attribute, given the hashes of its key and its value.
func (h *Hasher) PairOf(key, value uint64) uint64 {
	return h.Combine(key^tagPair, value)
}

// Attributes returns the sum of the pairs of m. It does not depend on their order.
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

// Metric hashes name, unit, type, temporality and monotonicity of a metric. Combine the result with the hash of the
// scope to get an identity.
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

// Point hashes an attribute set, given as the sum of its pairs, under the hash of its container. The result is the
// identity of a stream or, with zero as the container, of the attribute set alone.
func (h *Hasher) Point(container, attributes uint64) uint64 {
	return h.Combine(container^tagPoint, attributes)
}

// mix is the finaliser of MurmurHash3 with the constants of Stafford's variant 13: each input bit changes each output
// bit with a probability of one half.
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}
