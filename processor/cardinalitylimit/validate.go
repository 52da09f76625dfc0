package cardinalitylimit

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/otelcol-custom/otelcol-custom/internal/check"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/fold"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/limit"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/oversize"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/tracker"
)

const (
	// minFlushInterval bounds the load of flushes. Each flush visits the whole state.
	minFlushInterval = 100 * time.Millisecond
	// minSnapshotInterval bounds the load of snapshots. Each snapshot writes the whole state.
	minSnapshotInterval = time.Second
	minIdleTimeout      = time.Second
	minWindow           = time.Second
	// minRate gives a Bloom filter of 7 generations 48 bits per member. A lookup reads 33 bits.
	minRate = 1e-9
	// maxCount and maxMiB keep products such as the bits of a Bloom filter and the
	// bytes of the budget far from the range of 64 bits.
	maxCount = 1_000_000_000
	maxMiB   = 1 << 20
	// maxOffenders bounds the number of named offenders. Each causes up to 17 series of our own metrics.
	maxOffenders = 100
)

// Validate returns one error with all invalid values.
func (c *Config) Validate() error {
	_, err := c.compile()
	return err
}

// compiled is a configuration in the types of the core.
type compiled struct {
	limits []limit.Spec
	rules  []limit.Rule
	// labelGauges is the folding of gauges, by rule.
	labelGauges []fold.Gauge
	bounds      oversize.Limits
	pointBounds oversize.Bounds // of the same limits
	exempt      limit.Names
	gauge       fold.Gauge
	firstValue  fold.FirstValue
	enforce     bool
	// contestedAt is limit.Options.ContestedAt.
	contestedAt float64
}

var gauges = map[string]fold.Gauge{
	"drop": fold.GaugeDrop, "last": fold.GaugeLast, "min": fold.GaugeMin, "max": fold.GaugeMax, "sum": fold.GaugeSum,
}

var firstValues = map[string]fold.FirstValue{"evidence": fold.FirstEvidence, "start": fold.FirstStart}

func (c *Config) compile() (compiled, error) {
	var e check.Errors
	check.OneOf(&e, "mode", c.Mode, modeEnforce, modeDryRun)
	check.AtLeast(&e, "window::duration", c.Window.Duration, minWindow)
	check.Range(&e, "window::generations", c.Window.Generations, 2, tracker.MaxGenerations)
	check.Range(&e, "tracker::exact_up_to", c.Tracker.ExactUpTo, 0, maxCount)
	rate := c.Tracker.FalsePositiveRate
	e.That(rate >= minRate && rate < 1, "tracker::false_positive_rate", "at least 1e-9 and below 1", rate)
	check.Range(&e, "tracker::memory_limit_mib", c.Tracker.MemoryLimitMiB, 1, maxMiB)
	check.Range(&e, "tracker::max_keys", c.Tracker.MaxKeys, 1, maxCount)
	check.AtLeast(&e, "snapshot_interval", c.SnapshotInterval, minSnapshotInterval)
	check.AtLeast(&e, "reaggregate::flush_interval", c.Reaggregate.FlushInterval, minFlushInterval)
	check.Range(&e, "reaggregate::max_tracked_streams", c.Reaggregate.MaxTrackedStreams, 1, maxCount)
	check.OneOf(&e, "reaggregate::gauge", c.Reaggregate.Gauge, "drop", "last", "min", "max", "sum")
	check.OneOf(&e, "reaggregate::first_value", c.Reaggregate.FirstValue, "evidence", "start")
	check.AtLeast(&e, "reaggregate::idle_timeout", c.Reaggregate.IdleTimeout, minIdleTimeout)
	out := compiled{
		exempt:     check.Regexps(&e, "exempt::metrics", c.Exempt.Metrics),
		gauge:      gauges[c.Reaggregate.Gauge],
		firstValue: firstValues[c.Reaggregate.FirstValue],
		enforce:    c.Mode == modeEnforce,
	}
	out.bounds = c.AttributeLimits.compile(e.At("attribute_limits"))
	out.pointBounds = out.bounds.Bounds()
	check.Share(&e, "admission::contested_at", c.Admission.ContestedAt)
	out.contestedAt = c.Admission.ContestedAt
	if c.Cluster != nil {
		c.Cluster.check(e.At("cluster"))
	}
	check.Range(&e, "top_offenders::count", c.TopOffenders.Count, 0, maxOffenders)
	for i := range c.Labels {
		rule := c.Labels[i].compile(e.At(check.Item("labels", i)))
		rule.DropsGauges = gauges[c.Labels[i].Gauge] == fold.GaugeDrop
		out.rules = append(out.rules, rule)
		out.labelGauges = append(out.labelGauges, gauges[c.Labels[i].Gauge])
	}
	names := make(map[string]bool)
	for i, l := range c.limits() {
		at := e.At(check.Item("limits", i))
		at.That(!names[l.Name], "name", "unique", l.Name)
		names[l.Name] = true
		out.limits = append(out.limits, l.compile(at))
	}
	return out, e.Err()
}

func (c *LimitConfig) compile(e *check.Errors) limit.Spec {
	s := limit.Spec{
		Name: c.Name, Streams: c.Count == countStreams, MaxSeries: c.MaxSeries, MaxValues: c.MaxValues,
		WarnAt: c.WarnAt, DryRun: c.DryRun,
	}
	e.That(c.Name != "" && c.Name != limit.NoLimit, "name", `a name other than "none"`, c.Name)
	e.That(!strings.HasPrefix(c.Name, limit.RulePrefix), "name", `a name that does not begin with "`+limit.RulePrefix+`"`, c.Name)
	e.That(c.Key != nil, "key", "a list of parts; an empty one is one key for everything", "nothing")
	s.Match = compileMatch(e, c.Match, "metrics, resource.<name>, scope.name or metadata.<name>", func(p limit.Part) bool {
		text := p.String()
		return text != "metric.name" && !strings.HasPrefix(text, "attribute.")
	})
	for i, text := range c.Key {
		part, err := limit.ParsePart(text)
		if err != nil {
			e.Wrap(check.Item("key", i), err)
			continue
		}
		check.Name(e, check.Item("key", i), text)
		e.That(!slices.Contains(s.Key, part), check.Item("key", i), "named once", text)
		s.Key = append(s.Key, part)
	}
	check.OneOf(e, "count", c.Count, countAttributes, countStreams)
	c.checkMaximum(e)
	c.compileValues(e, &s)
	check.Range(e, "warn_at", c.WarnAt, 0, 1)
	var err error
	s.Action, err = limit.ParseAction(c.Action)
	e.Wrap("action", err)
	e.That(s.Action != limit.Strip || c.MaxValues > 0, "action", "overflow, drop or tag where max_values is not set", c.Action)
	for i := range c.Overrides {
		s.Overrides = append(s.Overrides, c.Overrides[i].compile(e.At(check.Item("overrides", i)), c, s.Key))
	}
	return s
}

// compileValues compiles the selection of labels whose values a limit counts.
func (c *LimitConfig) compileValues(e *check.Errors, s *limit.Spec) {
	field, names := "labels", c.Labels
	if len(c.Except) > 0 {
		field, names = "except", c.Except
		e.That(len(c.Labels) == 0, "labels", "absent where except is set", fmt.Sprint(c.Labels))
		for i, name := range names { // without labels, those of resources are not counted
			e.That(!strings.HasPrefix(name, resourcePrefix) && !hidesPrefix(name), check.Item(field, i), "a label of points", name)
		}
	}
	checkPrefixes(e, "labels", c.Labels)
	e.That(len(names) == 0 || c.MaxValues > 0, field, "absent where max_values is not set", fmt.Sprint(names))
	s.Values.Keep = field == "labels"
	s.Values.Names, s.ResourceValues = compileLabels(e, field, names)
}

// checkMaximum requires exactly one of max_series and max_values, and a count that fits it. If neither is set, the error is
// about max_series, because most limits have that.
func (c *LimitConfig) checkMaximum(e *check.Errors) {
	switch {
	case c.MaxSeries != 0 && c.MaxValues != 0:
		e.That(false, "max_series", "absent where max_values is set", c.MaxSeries)
	case c.MaxValues != 0 || c.zeroValues:
		check.Range(e, "max_values", c.MaxValues, 1, maxCount)
	default:
		check.Range(e, "max_series", c.MaxSeries, 1, maxCount)
	}
	e.That(c.Count != countStreams || c.MaxValues == 0, "count", "attributes where max_values is set", c.Count)
}
