package convert

import (
	"math"
	"math/rand/v2"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
	"github.com/otelcol-custom/otelcol-custom/internal/streamid"
	"github.com/otelcol-custom/otelcol-custom/processor/bucketing/internal/history"
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

// watchExplicit notes what the split of a cumulative point depends on.
func (j *job) watchExplicit(p pmetric.HistogramDataPoint, plan *plan) {
	if !j.steady {
		return
	}
	now := history.Basis{Start: uint64(p.StartTimestamp()), Print: plan.print, Exact: plan.exact}
	if before, goesOn := j.before(p.Attributes(), now); goesOn && before.Print != now.Print {
		j.report.Violations[BoundsChanged]++
	}
}

// watchExponential does the same for an exponential point. A scale that rises again
// is that of a stream begun anew, whose sender does not tell its start.
func (j *job) watchExponential(p pmetric.ExponentialHistogramDataPoint, h *expo.Histogram, plan *plan) {
	if !j.steady {
		return
	}
	now := history.Basis{
		Start: uint64(p.StartTimestamp()), Scale: h.Scale, Print: math.Float64bits(h.ZeroThreshold), Exact: plan.exact,
	}
	before, goesOn := j.before(p.Attributes(), now)
	switch {
	case !goesOn:
	case now.Scale < before.Scale:
		j.report.Violations[ScaleFell]++
	case now.Print != before.Print:
		j.report.Violations[ZeroThresholdChanged]++
	}
}

// before returns the basis of the stream's point before, and whether the stream goes
// on from there with a split that matters.
func (j *job) before(attributes pcommon.Map, now history.Basis) (before history.Basis, goesOn bool) {
	if !j.identified {
		j.stream, j.identified = identity.Combine(j.origin.hash(), identity.Metric(j.metric)), true
	}
	before, known := j.history.Swap(identity.Point(j.stream, identity.Attributes(attributes)), now)
	return before, known && before.Start == now.Start && (!before.Exact || !now.Exact)
}
