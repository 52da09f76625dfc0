package convert

import (
	"math"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
	"github.com/otelcol-custom/otelcol-custom/internal/histpoint"
	"github.com/otelcol-custom/otelcol-custom/internal/rebucket"
)

// basis has the values on which the split of a cumulative stream's last point depended. If the split changes, a bucket may
// get fewer observations than before, which looks like a counter reset downstream.
type basis struct {
	sentStart, start uint64 // in ns since the epoch: the start as sent, and as emitted
	scale            int32  // scale at which exponential buckets are split; 0 for explicit buckets
	sourceScale      int32  // scale of an exponential point as sent
	// fingerprint is a hash of an explicit layout's bounds, or the bits of an exponential layout's zero threshold.
	fingerprint uint64
	// exact says that nothing is split or assumed. From one exact basis to another no bucket decreases.
	exact bool
	// zeroSide is the side of the zero bucket, if it is cut.
	zeroSide rebucket.ZeroSide
}

// watchExplicit records the basis of a cumulative point, and reports whether to drop the point. In stateful mode it records
// nothing: only points that are too large for the state get here.
func (j *job) watchExplicit(p pmetric.HistogramDataPoint, plan *plan) (drop bool) {
	return j.isCumulative && !j.stateful() && watch(j, p, basis{fingerprint: plan.fingerprint, exact: plan.exact})
}

// watchExponential records the basis of a cumulative point, and reports whether to drop the point.
func (j *job) watchExponential(p pmetric.ExponentialHistogramDataPoint, h *expo.Histogram, plan *plan) (drop bool) {
	now := basis{scale: h.Scale, sourceScale: j.exponential.sourceScale, fingerprint: valueBits(h.ZeroThreshold), exact: plan.exact}
	if plan.fromExponential.CutsZero() {
		now.zeroSide = zeroSideOf(h)
	}
	return j.isCumulative && watch(j, p, now)
}

func watch[P histpoint.Point](j *job, p P, now basis) (drop bool) {
	now.sentStart = uint64(p.StartTimestamp())
	now.start = now.sentStart
	time := uint64(p.Timestamp())
	j.bases.Update(j.identify(p.Attributes()), func(last *basis, known bool) (words int) {
		if drop = known && j.setStart(&now, last, time); !drop {
			*last = now
		}
		return 0
	})
	if now.start != now.sentStart {
		p.SetStartTimestamp(pcommon.Timestamp(now.start))
	}
	return drop
}

// restarted applies [expo.Restarted] to points without counts, which a basis does not have.
func (b *basis) restarted(before *basis) bool {
	last, now := before.histogram(), b.histogram()
	return expo.Restarted(&last, &now)
}

// histogram returns an exponential point with the fields that a basis has.
func (b *basis) histogram() expo.Histogram {
	return expo.Histogram{Scale: b.sourceScale, ZeroThreshold: math.Float64frombits(b.fingerprint)}
}

// setStart sets the emitted start of a point, given the basis of the stream's last point, and reports whether to drop the
// point. A stream that restarted gets the start that its sender gives.
func (j *job) setStart(now, before *basis, time uint64) (drop bool) {
	exponential := j.metric.Type() == pmetric.MetricTypeExponentialHistogram
	if before.sentStart != now.sentStart || exponential && now.restarted(before) {
		return false
	}
	now.start = before.start
	if before.exact && now.exact || before.scale == now.scale && before.fingerprint == now.fingerprint && before.zeroSide == now.zeroSide {
		return false
	}
	change := BoundsChanged
	switch {
	case now.scale < before.scale:
		change = ScaleChanged
	case before.zeroSide != now.zeroSide:
		change = ZeroSideChanged
	case exponential:
		change = ZeroThresholdChanged
	}
	j.report.Violations[j.rule.OnViolation][change]++
	if j.rule.OnViolation == Drop {
		return true // until the split is the former one again, or the stream restarts
	}
	// The stream has a new start with unknown values. In the data model this is a point whose start equals its time.
	now.start = time
	return false
}
