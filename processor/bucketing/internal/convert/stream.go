package convert

import (
	"math/rand/v2"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-custom/otelcol-custom/internal/streamid"
)

// identity of streams and of bounds, within this process. The seed decides nothing
// but which of them could collide.
var identity = streamid.New(rand.Uint64())

// Origin is where metrics come from; their streams are identified under it. Not
// safe for concurrent use.
type Origin struct {
	Resource pcommon.Resource
	Scope    pcommon.InstrumentationScope

	id    uint64
	known bool
}

// hash is computed where a cumulative stream is met, and once.
func (o *Origin) hash() uint64 {
	if !o.known {
		o.id, o.known = identity.Scope(identity.Resource(o.Resource), o.Scope), true
	}
	return o.id
}

// identify returns the identity of the stream with these attributes.
func (j *job) identify(attributes pcommon.Map) uint64 {
	if !j.identified {
		j.stream, j.identified = identity.Combine(j.origin.hash(), identity.Metric(j.metric)), true
	}
	return identity.Point(j.stream, j.pairs.sum(attributes))
}
