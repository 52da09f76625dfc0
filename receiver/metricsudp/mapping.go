package metricsudp

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/otelcol-custom/otelcol-custom/internal/check"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/series"
)

// MappingConfig configures the aggregation of a type of lines. The schema is that of contrib's statsd receiver.
type MappingConfig struct {
	StatsdType   string          `mapstructure:"statsd_type"`
	ObserverType string          `mapstructure:"observer_type"`
	Histogram    HistogramConfig `mapstructure:"histogram"`
	Summary      SummaryConfig   `mapstructure:"summary"`
}

// HistogramConfig configures the buckets of a histogram. They are explicit for metrics whose name matches, and exponential for
// all other metrics.
type HistogramConfig struct {
	MaxSize         int                     `mapstructure:"max_size"`
	ExplicitBuckets []ExplicitBucketsConfig `mapstructure:"explicit_buckets"`
}

// ExplicitBucketsConfig has the upper bounds of the buckets for metrics whose name contains a match of the pattern.
type ExplicitBucketsConfig struct {
	MatcherPattern string    `mapstructure:"matcher_pattern"`
	Buckets        []float64 `mapstructure:"buckets"`
}

// SummaryConfig has the quantiles of a summary, in percent.
type SummaryConfig struct {
	Percentiles []float64 `mapstructure:"percentiles"`
}

// The values of statsd_type and observer_type.
const (
	statsdTiming       = "timing"
	statsdTimer        = "timer" // another name of timing
	statsdHistogram    = "histogram"
	statsdDistribution = "distribution"

	observerGauge     = "gauge"
	observerSummary   = "summary"
	observerHistogram = "histogram"
)

var statsdKinds = map[string]line.Kind{
	statsdTiming: line.Timer, statsdTimer: line.Timer, statsdHistogram: line.Histogram, statsdDistribution: line.Distribution,
}

var aggregations = map[string]series.Aggregation{
	observerGauge: series.Each, observerSummary: series.Summary, observerHistogram: series.Distribution,
}

const (
	minBuckets = 2     // per sign: one on each side of 1
	maxBuckets = 16384 // 128 KiB per sign, series and reader

	maxPercentiles = 100 // every point contains all percentiles
)

// defaultPercentiles are those of contrib's statsd receiver.
var defaultPercentiles = []float64{0, 10, 50, 90, 95, 100}

func (c *Config) checkMapping(e *check.Errors) {
	before := map[line.Kind]string{}
	for i := range c.TimerHistogramMapping {
		m := &c.TimerHistogramMapping[i]
		item := e.At(check.Item("timer_histogram_mapping", i))
		m.check(item)
		kind := statsdKinds[m.StatsdType]
		// One of two entries would have no effect, and a user would not see which one.
		item.That(kind == line.Invalid || before[kind] == "", "statsd_type", "a type that no other entry maps", m.StatsdType)
		before[kind] = m.StatsdType
	}
}

func (c *MappingConfig) check(e *check.Errors) {
	check.OneOf(e, "statsd_type", c.StatsdType, statsdTiming, statsdTimer, statsdHistogram, statsdDistribution)
	check.OneOf(e, "observer_type", c.ObserverType, observerGauge, observerSummary, observerHistogram)
	set := c.Histogram.MaxSize != 0 || len(c.Histogram.ExplicitBuckets) > 0
	e.That(!set || c.ObserverType == observerHistogram, "observer_type", "histogram where histogram is set", c.ObserverType)
	set = len(c.Summary.Percentiles) > 0
	e.That(!set || c.ObserverType == observerSummary, "observer_type", "summary where summary is set", c.ObserverType)
	c.Histogram.check(e.At("histogram"))
	c.Summary.check(e.At("summary"))
}

func (c *SummaryConfig) check(e *check.Errors) {
	if n := len(c.Percentiles); n > maxPercentiles {
		e.That(false, "percentiles", fmt.Sprintf("at most %d numbers", maxPercentiles), n)
		return
	}
	for i, p := range c.Percentiles {
		field := check.Item("percentiles", i)
		check.Range(e, field, p, 0, 100)
		// A summary point that contains one quantile twice has two values for one series in the backend.
		e.That(!slices.Contains(c.Percentiles[:i], p), field, "given once", p)
	}
}

func (c *HistogramConfig) check(e *check.Errors) {
	e.That(c.MaxSize == 0 || c.MaxSize >= minBuckets && c.MaxSize <= maxBuckets, "max_size",
		fmt.Sprintf("from %d to %d, or 0 for %d", minBuckets, maxBuckets, series.MaxBuckets), c.MaxSize)
	for i := range c.ExplicitBuckets {
		b, item := &c.ExplicitBuckets[i], e.At(check.Item("explicit_buckets", i))
		item.That(b.MatcherPattern != "", "matcher_pattern", "a regular expression", b.MatcherPattern)
		check.Regexp(item, "matcher_pattern", b.MatcherPattern)
		item.That(len(b.Buckets) > 0 && len(b.Buckets) < maxBuckets, "buckets",
			fmt.Sprintf("from 1 to %d bounds", maxBuckets-1), len(b.Buckets))
		check.Increasing(item, "buckets", b.Buckets)
	}
}

// observers returns the observers by kind. A kind without a mapping is an exponential histogram.
func (c *Config) observers() (to [line.Kinds]series.Observer, err error) {
	for i := range c.TimerHistogramMapping {
		m := &c.TimerHistogramMapping[i]
		o := series.Observer{Aggregation: aggregations[m.ObserverType], MaxSize: m.Histogram.MaxSize, Percentiles: m.Summary.Percentiles}
		if len(o.Percentiles) == 0 {
			o.Percentiles = defaultPercentiles
		}
		for _, b := range m.Histogram.ExplicitBuckets {
			name, err := regexp.Compile(b.MatcherPattern)
			if err != nil {
				return to, fmt.Errorf("matcher_pattern: %w", err)
			}
			o.Explicit = append(o.Explicit, series.ExplicitBuckets{Name: name, Bounds: b.Buckets})
		}
		to[statsdKinds[m.StatsdType]] = o
	}
	return to, nil
}
