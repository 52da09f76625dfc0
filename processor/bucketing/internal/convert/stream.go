package convert

import (
	"math/rand/v2"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-custom/otelcol-custom/internal/streamid"
)

// identity hashes streams and bounds within this process. The seed is random, so that senders cannot construct collisions.
var identity = streamid.New(rand.Uint64())

// Origin is the resource and the scope of metrics. Their hash is part of the identity of a stream. It is not safe for
// concurrent use.
type Origin struct {
	Resource pcommon.Resource
	Scope    pcommon.InstrumentationScope

	id     uint64
	hashed bool
}

// hash returns the hash of the origin. It is computed once, and only if a stream needs it.
func (o *Origin) hash() uint64 {
	if !o.hashed {
		o.id, o.hashed = identity.Scope(identity.Resource(o.Resource), o.Scope), true
	}
	return o.id
}

// identify returns the identity of the metric's stream with these attributes.
func (j *job) identify(attributes pcommon.Map) uint64 {
	if !j.identified {
		j.stream, j.identified = identity.Combine(j.origin.hash(), identity.Metric(j.metric)), true
	}
	return identity.Point(j.stream, j.pairs.sum(attributes))
}
