package convert

import (
	"sync"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
	"github.com/otelcol-custom/otelcol-custom/internal/rebucket"
)

// Converter applies rules to metrics. Safe for concurrent use on different metrics.
type Converter struct {
	plans   *Plans
	scratch sync.Pool
}

// New returns a Converter that keeps plans in the given cache.
func New(plans *Plans) *Converter {
	return &Converter{plans: plans, scratch: sync.Pool{New: func() any { return new(scratch) }}}
}

// scratch is the space one metric's conversion needs; it grows to the largest seen.
type scratch struct {
	source, target     []uint64
	positive, negative expo.Buckets
	bounds             []float64
	key                []byte
	worst              float64 // rank error
}

// Metric converts the points of m, a member of siblings, to which a second metric
// is added where only some points change type.
func (c *Converter) Metric(m pmetric.Metric, siblings pmetric.MetricSlice, rule *Rule, report *Report) {
	s := c.scratch.Get().(*scratch)
	defer c.scratch.Put(s)
	s.worst = -1
	job := job{converter: c, scratch: s, rule: rule, report: report, unit: m.Unit()}
	switch m.Type() {
	case pmetric.MetricTypeHistogram:
		job.steady = cumulative(m.Histogram().AggregationTemporality())
		if rule.Exponential != nil {
			job.toExponential(m, siblings)
		} else {
			job.explicitInPlace(m.Histogram().DataPoints())
		}
	case pmetric.MetricTypeExponentialHistogram:
		job.steady = cumulative(m.ExponentialHistogram().AggregationTemporality())
		if rule.Explicit != nil {
			job.toExplicit(m, siblings)
		} else {
			job.exponentialInPlace(m.ExponentialHistogram().DataPoints())
		}
	}
	if s.worst >= 0 {
		report.RankErrors = append(report.RankErrors, s.worst)
	}
}

// job is the conversion of one metric.
type job struct {
	converter *Converter
	scratch   *scratch
	rule      *Rule
	report    *Report
	unit      string
	steady    bool  // what is done must not depend on counts
	last      *plan // of the bounds in scratch space
}

func (j *job) converted(from, to Layout) {
	j.report.Converted[j.rule.Index][from][to]++
}

// refuse counts a point that stays as it is and tells whether to drop it.
func (j *job) refuse(reason Reason, err error) (drop bool) {
	if err != nil && j.report.Err == nil {
		j.report.Err = err
	}
	if reason == Invalid && j.rule.DropInvalid {
		j.report.Dropped++
		return true
	}
	j.report.Passed[reason]++
	return false
}

// accept takes over what a plan had to assume for a point of this count, or
// returns false if that is more than the rule allows.
func (j *job) accept(tally rebucket.Tally, count uint64) bool {
	var rankError float64
	if count > 0 {
		rankError = float64(tally.Straddled) / float64(count)
	}
	if j.rule.MaxRankError > 0 && rankError > j.rule.MaxRankError && !j.steady {
		return false
	}
	j.report.OpenEnds = expo.AddSat(j.report.OpenEnds, tally.Open)
	j.scratch.worst = max(j.scratch.worst, rankError)
	return true
}

// room returns counts with length n; what they hold is of no interest.
func room(counts []uint64, n int) []uint64 {
	if cap(counts) < n {
		return make([]uint64, n)
	}
	return counts[:n]
}

// twin adds a metric of the same name, unit and description to siblings.
func twin(m pmetric.Metric, siblings pmetric.MetricSlice) pmetric.Metric {
	t := siblings.AppendEmpty()
	t.SetName(m.Name())
	t.SetUnit(m.Unit())
	t.SetDescription(m.Description())
	m.Metadata().CopyTo(t.Metadata())
	return t
}

// cumulative is what delta is not: an unspecified temporality is treated with the
// greater care.
func cumulative(t pmetric.AggregationTemporality) bool {
	return t != pmetric.AggregationTemporalityDelta
}
