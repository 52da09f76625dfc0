package convert

import (
	"math"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
	"github.com/otelcol-custom/otelcol-custom/internal/histpoint"
	"github.com/otelcol-custom/otelcol-custom/internal/rebucket"
)

// basis is what the split of a cumulative stream's last point depended on. A split that changes while
// the stream goes on may put fewer observations into a bucket than before, which downstream is a
// counter reset.
type basis struct {
	source, start uint64 // ns since the epoch: as sent, and as emitted
	scale         int32  // at which exponential buckets are split; 0 for explicit ones
	sourceScale   int32  // at which they came
	// print is a fingerprint of an explicit layout's bounds, or the bits of the zero threshold.
	print uint64
	// exact: nothing is split or assumed. From one exact basis to another nothing decreases.
	exact bool
	// zero is where the zero bucket lies, if it is cut.
	zero rebucket.ZeroSide
}

// watchExplicit notes what the split of a cumulative point depends on, and reports whether to drop the
// point. In stateful mode nothing is noted: its points without state are too large to be kept.
func (j *job) watchExplicit(p pmetric.HistogramDataPoint, plan *plan) (drop bool) {
	return j.steady && !j.stateful() && watch(j, p, basis{print: plan.print, exact: plan.exact})
}

// watchExponential does the same for an exponential point.
func (j *job) watchExponential(p pmetric.ExponentialHistogramDataPoint, h *expo.Histogram, plan *plan) (drop bool) {
	now := basis{scale: h.Scale, sourceScale: j.exponential.sourceScale, print: valueBits(h.ZeroThreshold), exact: plan.exact}
	if plan.fromExponential.CutsZero() {
		now.zero = zeroSideOf(h)
	}
	return j.steady && watch(j, p, now)
}

func watch[P histpoint.Point](j *job, p P, now basis) (drop bool) {
	now.source = uint64(p.StartTimestamp())
	now.start = now.source
	time := uint64(p.Timestamp())
	j.bases.Update(j.identify(p.Attributes()), func(kept *basis, known bool) (words int) {
		if drop = known && j.follow(kept, &now, time); !drop {
			*kept = now
		}
		return 0
	})
	if now.start != now.source {
		p.SetStartTimestamp(pcommon.Timestamp(now.start))
	}
	return drop
}

// restarted follows [expo.Restarted] as far as it goes without counts.
func (b *basis) restarted(before *basis) bool {
	last, now := before.histogram(), b.histogram()
	return expo.Restarted(&last, &now)
}

// histogram is what a basis knows of an exponential point.
func (b *basis) histogram() expo.Histogram {
	return expo.Histogram{Scale: b.sourceScale, ZeroThreshold: math.Float64frombits(b.print)}
}

// follow sets the start of a point whose stream was split by the basis before, and reports whether to drop
// it. A stream that began anew goes on with the start that its sender gives.
func (j *job) follow(before, now *basis, time uint64) (drop bool) {
	exponential := j.metric.Type() == pmetric.MetricTypeExponentialHistogram
	if before.source != now.source || exponential && now.restarted(before) {
		return false
	}
	now.start = before.start
	if before.exact && now.exact || before.scale == now.scale && before.print == now.print && before.zero == now.zero {
		return false
	}
	change := BoundsChanged
	switch {
	case now.scale < before.scale:
		change = ScaleChanged
	case before.zero != now.zero:
		change = ZeroSideChanged
	case exponential:
		change = ZeroThresholdChanged
	}
	j.report.Violations[j.rule.OnViolation][change]++
	if j.rule.OnViolation == Drop {
		return true // until the split is that again, or the stream begins anew
	}
	// The values go on from a start that is not known: in the data model a point without duration.
	now.start = time
	return false
}
