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

// Converter applies rules to metrics. It is safe for concurrent use on different metrics.
type Converter struct {
	jobs sync.Pool
}

// watchedStreams is the number of cumulative streams that are watched for changes of their split. They need at most
// 16 MB.
const watchedStreams = 1 << 17

// New returns a Converter that caches plans in the given cache.
func New(plans *Plans) *Converter {
	bases := history.New[basis](watchedStreams, 1)
	return &Converter{jobs: sync.Pool{New: func() any {
		j := &job{bases: bases}
		j.explicit.plans, j.exponential.plans = plans, plans
		return j
	}}}
}

// Metric converts the points of m, which is an element of siblings. If only some of the points change type, it appends a
// second metric to siblings.
func (c *Converter) Metric(m pmetric.Metric, siblings pmetric.MetricSlice, origin *Origin, rule *Rule, report *Report) {
	j := c.jobs.Get().(*job)
	j.begin(task{metric: m, origin: origin, rule: rule, report: report, maxRankError: -1})
	switch m.Type() {
	case pmetric.MetricTypeHistogram:
		j.histogram(m, siblings)
	case pmetric.MetricTypeExponentialHistogram:
		j.exponentialHistogram(m, siblings)
	case pmetric.MetricTypeGauge:
		j.gauge(m, siblings)
	}
	if j.maxRankError >= 0 {
		report.RankErrors = append(report.RankErrors, j.maxRankError)
	}
	j.task = task{}
	if !j.tooLarge() {
		c.jobs.Put(j)
	}
}

// job converts one metric at a time. It reuses the memory of its fields for all points.
type job struct {
	bases *history.Table[basis]
	task

	explicit    explicit
	exponential exponential
	out         output // the point that was converted last
	gauges      gauges
}

// task is the state of a job for one metric.
type task struct {
	metric       pmetric.Metric
	origin       *Origin
	rule         *Rule
	report       *Report
	isCumulative bool    // the shares of splits must not depend on counts
	maxRankError float64 // of the points so far; -1 before the first one

	stream     uint64 // hash of origin and metric, if identified
	identified bool
	pairs      pairs
}

// begin prepares the job for a metric.
func (j *job) begin(t task) {
	j.task = t
	unit := t.metric.Unit()
	j.explicit.begin(t.rule, unit)
	j.exponential.begin(t.rule, unit)
}

// maxKeptCounts bounds the capacity of the slices with which a job returns to the pool. Otherwise every job would keep
// the memory for the largest point, whose size a sender chooses.
const maxKeptCounts = 1 << 16

// tooLarge reports whether the job has too much memory to return to the pool.
func (j *job) tooLarge() bool {
	e := &j.exponential
	return max(cap(j.explicit.Counts), cap(e.Positive.Counts), cap(e.Negative.Counts)) > maxKeptCounts
}

func (j *job) histogram(m pmetric.Metric, siblings pmetric.MetricSlice) {
	from := m.Histogram()
	points := from.DataPoints()
	j.isCumulative = isCumulative(from.AggregationTemporality())
	switch {
	case j.rule.hasNoTarget():
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
		to.MoveTo(metricFor(m, points.Len(), siblings).SetEmptyExponentialHistogram())
	}
}

func (j *job) exponentialHistogram(m pmetric.Metric, siblings pmetric.MetricSlice) {
	from := m.ExponentialHistogram()
	points := from.DataPoints()
	j.isCumulative = isCumulative(from.AggregationTemporality())
	switch {
	case j.rule.hasNoTarget():
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
		to.MoveTo(metricFor(m, points.Len(), siblings).SetEmptyHistogram())
	}
}

// countConverted counts a point that was converted.
func (j *job) countConverted(from, to Layout) {
	j.report.Converted[j.rule.Index][from][to]++
}

// countUnconverted counts a point that was not converted, and reports whether to drop it.
func (j *job) countUnconverted(v verdict) (drop bool) {
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

// repair corrects the count of a point that is not the sum of its buckets, if the rule is to repair points. It returns
// the error of loading the point, or nil if it has repaired the point.
func repair[P histpoint.Point](j *job, p P, count *uint64, err error) error {
	if err == nil || j.rule.OnInvalid != RepairInvalid {
		return err
	}
	var wrong *histpoint.CountError
	if !errors.As(err, &wrong) {
		return err
	}
	*count = wrong.Sum
	p.SetCount(wrong.Sum)
	j.report.Repaired++
	return nil
}

// checkTally adds the tally of a converted point to the report. If its rank error exceeds the rule's bound, the verdict is
// to leave the point unconverted.
func (j *job) checkTally(tally rebucket.Tally, count uint64) verdict {
	var rankError float64
	if tally.Straddled > 0 {
		rankError = float64(tally.Straddled) / float64(count)
	}
	if j.rule.MaxRankError > 0 && rankError > j.rule.MaxRankError && !j.isCumulative {
		return verdict{reason: RankError}
	}
	j.report.OpenEnds = expo.AddSat(j.report.OpenEnds, tally.Open)
	j.maxRankError = max(j.maxRankError, rankError)
	return verdict{ok: true}
}

// stateful reports whether the conversion of a point depends on the earlier points of its stream.
func (j *job) stateful() bool { return j.isCumulative && j.rule.Streams != nil }

// isCumulative reports whether a temporality is not delta. An unspecified one is treated as cumulative, which is the more
// careful treatment.
func isCumulative(t pmetric.AggregationTemporality) bool {
	return t != pmetric.AggregationTemporalityDelta
}
