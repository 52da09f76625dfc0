package convert

import (
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
	return &Converter{jobs: sync.Pool{New: func() any { return &job{plans: plans, bases: bases} }}}
}

// Metric converts the points of m, a member of siblings, to which a second metric
// is added where only some points change type.
func (c *Converter) Metric(m pmetric.Metric, siblings pmetric.MetricSlice, origin *Origin, rule *Rule, report *Report) {
	j := c.jobs.Get().(*job)
	j.task = task{metric: m, origin: origin, rule: rule, report: report, unit: m.Unit(), worst: -1}
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

// job is the conversion of one metric, and then of another.
type job struct {
	plans *Plans
	bases *history.Table[basis]
	task
	scratch
}

// task is about one metric.
type task struct {
	metric pmetric.Metric
	origin *Origin
	rule   *Rule
	report *Report
	unit   string
	steady bool    // what is done must not depend on counts
	worst  float64 // rank error; -1 before the first point

	// Plans of the point before; points of a metric mostly have the same layout.
	lastExplicit    *plan // of the bounds in scratch space
	lastExponential exponentialPlan

	stream     uint64 // hash of origin and metric, if identified
	identified bool
	pairs      pairs
}

// scratch is space that grows to the largest needed so far.
type scratch struct {
	explicit    histpoint.Explicit // as loaded
	exponential expo.Histogram     // as loaded, then reduced
	target      histpoint.Explicit // as converted; the bounds are a plan's
	layout      expo.Histogram     // target by an exponential layout; shares its counts
	key         []byte

	chooser rebucket.Chooser
	chosen  []float64 // bounds of a limit, by counts

	targetLayout rebucket.Layout // of an exponential target

	group        group          // of gauge points
	distribution expo.Histogram // of a group

	// This point and the one before of its stream, in the finest layout that both have: see source.
	met       [2]expo.Histogram
	metCounts [2][]uint64
}

// maxKeptScratch is how many counts of a source a job keeps room for: a sender chooses how many a point has,
// and memory for the largest would stay with every job.
const maxKeptScratch = 1 << 16

// large reports whether the space is not worth keeping.
func (s *scratch) large() bool {
	return max(cap(s.explicit.Counts), cap(s.exponential.Positive.Counts), cap(s.exponential.Negative.Counts)) > maxKeptScratch
}

// setTarget sets what is converted to, but for the counts of buckets.
func (s *scratch) setTarget(p *plan, count uint64) {
	s.target.Bounds, s.target.Count, s.targetLayout = p.bounds, count, p.layout
}

// buckets returns target's counts with length n; what they hold is of no interest.
func (s *scratch) buckets(n int) []uint64 {
	if cap(s.target.Counts) < n {
		s.target.Counts = make([]uint64, n)
	}
	s.target.Counts = s.target.Counts[:n]
	return s.target.Counts
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
		rewrite(j, points, rebucketExplicit, storeExplicit, passingExplicit, ExplicitLayout)
		return
	}
	to := pmetric.NewExponentialHistogram()
	to.SetAggregationTemporality(from.AggregationTemporality())
	retype(j, points, to.DataPoints(), rebucketExplicit, storeLayout, passingExplicit, ExplicitLayout, ExponentialLayout)
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
		rewrite(j, points, reduce, storeReduced, passingExponential, ExponentialLayout)
		return
	}
	to := pmetric.NewHistogram()
	to.SetAggregationTemporality(from.AggregationTemporality())
	retype(j, points, to.DataPoints(), rebucketExponential, storeExplicit, passingExponential, ExponentialLayout, ExplicitLayout)
	if to.DataPoints().Len() > 0 {
		to.MoveTo(home(m, points.Len(), siblings).SetEmptyHistogram())
	}
}

func (j *job) converted(from, to Layout) {
	j.report.Converted[j.rule.Index][from][to]++
}

// refuse counts a point that stays as it is and tells whether to drop it.
func (j *job) refuse(v verdict) (drop bool) {
	if v.err != nil && j.report.Err == nil {
		j.report.Err = v.err
	}
	if v.drop {
		return true // counted as a violation
	}
	if v.reason == Invalid && j.rule.DropInvalid {
		j.report.Dropped++
		return true
	}
	if v.reason != Unmatched {
		j.report.Passed[v.reason]++
	}
	return false
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

// stateful tells whether points continue what was emitted of their stream.
func (j *job) stateful() bool { return j.steady && j.rule.Streams != nil }

// cumulative is what delta is not: an unspecified temporality is treated with the
// greater care.
func cumulative(t pmetric.AggregationTemporality) bool {
	return t != pmetric.AggregationTemporalityDelta
}
