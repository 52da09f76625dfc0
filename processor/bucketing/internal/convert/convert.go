package convert

import (
	"errors"
	"sync"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
	"github.com/otelcol-custom/otelcol-custom/internal/histpoint"
	"github.com/otelcol-custom/otelcol-custom/internal/rebucket"
	"github.com/otelcol-custom/otelcol-custom/processor/bucketing/internal/history"
)

// Converter applies rules to metrics. Safe for concurrent use on different metrics.
type Converter struct {
	jobs sync.Pool
}

// watchedStreams is how many cumulative streams are watched for changes of their
// split: 16 MB at most.
const watchedStreams = 1 << 17

// New returns a Converter that keeps plans in the given cache.
func New(plans *Plans) *Converter {
	bases := history.New[basis](watchedStreams, 1)
	return &Converter{jobs: sync.Pool{New: func() any {
		j := &job{bases: bases}
		j.explicit.plans, j.exponential.plans = plans, plans
		return j
	}}}
}

// Metric converts the points of m, a member of siblings, to which a second metric
// is added where only some points change type.
func (c *Converter) Metric(m pmetric.Metric, siblings pmetric.MetricSlice, origin *Origin, rule *Rule, report *Report) {
	j := c.jobs.Get().(*job)
	j.begin(task{metric: m, origin: origin, rule: rule, report: report, worst: -1})
	switch m.Type() {
	case pmetric.MetricTypeHistogram:
		j.histogram(m, siblings)
	case pmetric.MetricTypeExponentialHistogram:
		j.exponentialHistogram(m, siblings)
	case pmetric.MetricTypeGauge:
		j.gauge(m, siblings)
	}
	if j.worst >= 0 {
		report.RankErrors = append(report.RankErrors, j.worst)
	}
	j.task = task{}
	if !j.large() {
		c.jobs.Put(j)
	}
}

// job is the conversion of one metric, and then of another. What it uses for a point is kept for the next.
type job struct {
	bases *history.Table[basis]
	task

	explicit    explicit
	exponential exponential
	out         output // the point converted last
	gauges      gauges
}

// task is about one metric.
type task struct {
	metric pmetric.Metric
	origin *Origin
	rule   *Rule
	report *Report
	steady bool    // what is done must not depend on counts
	worst  float64 // rank error; -1 before the first point

	stream     uint64 // hash of origin and metric, if identified
	identified bool
	pairs      pairs
}

// begin turns to a metric.
func (j *job) begin(t task) {
	j.task = t
	unit := t.metric.Unit()
	j.explicit.begin(t.rule, unit)
	j.exponential.begin(t.rule, unit)
}

// maxKeptCounts is how many counts of a source a job keeps room for: a sender chooses how many a point has,
// and memory for the largest would stay with every job.
const maxKeptCounts = 1 << 16

// large reports whether the job has too much memory to be kept.
func (j *job) large() bool {
	e := &j.exponential
	return max(cap(j.explicit.Counts), cap(e.Positive.Counts), cap(e.Negative.Counts)) > maxKeptCounts
}

func (j *job) histogram(m pmetric.Metric, siblings pmetric.MetricSlice) {
	from := m.Histogram()
	points := from.DataPoints()
	j.steady = cumulative(from.AggregationTemporality())
	switch {
	case j.rule.inspects():
		rewrite(j, points, inspectExplicit, storeExplicit, passingExplicit, ExplicitLayout)
		return
	case j.rule.Exponential == nil:
		rewrite(j, points, convertExplicit, storeExplicit, passingExplicit, ExplicitLayout)
		return
	}
	to := pmetric.NewExponentialHistogram()
	to.SetAggregationTemporality(from.AggregationTemporality())
	retype(j, points, to.DataPoints(), convertExplicit, storeLayout, passingExplicit, ExplicitLayout, ExponentialLayout)
	if to.DataPoints().Len() > 0 {
		to.MoveTo(home(m, points.Len(), siblings).SetEmptyExponentialHistogram())
	}
}

func (j *job) exponentialHistogram(m pmetric.Metric, siblings pmetric.MetricSlice) {
	from := m.ExponentialHistogram()
	points := from.DataPoints()
	j.steady = cumulative(from.AggregationTemporality())
	switch {
	case j.rule.inspects():
		rewrite(j, points, inspectExponential, storeReduced, passingExponential, ExponentialLayout)
		return
	case j.rule.Explicit == nil:
		rewrite(j, points, reduceExponential, storeReduced, passingExponential, ExponentialLayout)
		return
	}
	to := pmetric.NewHistogram()
	to.SetAggregationTemporality(from.AggregationTemporality())
	retype(j, points, to.DataPoints(), convertExponential, storeExplicit, passingExponential, ExponentialLayout, ExplicitLayout)
	if to.DataPoints().Len() > 0 {
		to.MoveTo(home(m, points.Len(), siblings).SetEmptyHistogram())
	}
}

func (j *job) converted(from, to Layout) {
	j.report.Converted[j.rule.Index][from][to]++
}

// refuse counts a point that was not converted, and reports whether to drop it.
func (j *job) refuse(v verdict) (drop bool) {
	if v.err != nil && j.report.Err == nil {
		j.report.Err = v.err
	}
	if v.drop {
		return true // counted as a violation
	}
	if v.reason == Invalid && j.rule.OnInvalid != PassInvalid {
		j.report.Dropped++
		return true
	}
	if v.reason != Unmatched {
		j.report.Passed[v.reason]++
	}
	return false
}

// repaired returns nil for a fault of loading that it has repaired: the count of a point that is not the sum of
// its buckets, if the rule says so.
func repaired[P histpoint.Point](j *job, p P, count *uint64, fault error) error {
	if fault == nil || j.rule.OnInvalid != RepairInvalid {
		return fault
	}
	var wrong *histpoint.CountError
	if !errors.As(fault, &wrong) {
		return fault
	}
	*count = wrong.Sum
	p.SetCount(wrong.Sum)
	j.report.Repaired++
	return nil
}

// weigh takes over what a plan had to assume for the point converted, or refuses it
// if that is more than the rule allows.
func (j *job) weigh(tally rebucket.Tally, count uint64) verdict {
	var rankError float64
	if tally.Straddled > 0 {
		rankError = float64(tally.Straddled) / float64(count)
	}
	if j.rule.MaxRankError > 0 && rankError > j.rule.MaxRankError && !j.steady {
		return verdict{reason: RankError}
	}
	j.report.OpenEnds = expo.AddSat(j.report.OpenEnds, tally.Open)
	j.worst = max(j.worst, rankError)
	return verdict{ok: true}
}

// stateful reports whether points continue what was emitted of their stream.
func (j *job) stateful() bool { return j.steady && j.rule.Streams != nil }

// cumulative is what delta is not: an unspecified temporality is treated with the
// greater care.
func cumulative(t pmetric.AggregationTemporality) bool {
	return t != pmetric.AggregationTemporalityDelta
}
