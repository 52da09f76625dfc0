package cardinalitylimit

import (
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/fold"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/limit"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/tracker"
)

// problem is a field with what it must be and what it is.
func problem(field, must string, got any) error {
	return fmt.Errorf("%s: must be %s (got %v)", field, must, got)
}

// Validate reports everything that is wrong at once.
func (c *Config) Validate() error {
	var errs []error
	check := func(ok bool, field, must string, got any) {
		if !ok {
			errs = append(errs, problem(field, must, got))
		}
	}
	check(c.Mode == modeEnforce || c.Mode == modeDryRun, "mode", "enforce or dry_run", fmt.Sprintf("%q", c.Mode))
	check(c.Window.Duration > 0, "window.duration", "positive", c.Window.Duration)
	check(c.Window.Generations >= 2 && c.Window.Generations <= tracker.MaxGenerations,
		"window.generations", fmt.Sprintf("from 2 to %d", tracker.MaxGenerations), c.Window.Generations)
	check(c.Tracker.ExactUpTo >= 0, "tracker.exact_up_to", "0 or more", c.Tracker.ExactUpTo)
	check(c.Tracker.FalsePositiveRate > 0 && c.Tracker.FalsePositiveRate < 1,
		"tracker.false_positive_rate", "between 0 and 1", c.Tracker.FalsePositiveRate)
	check(c.Tracker.MemoryLimitMiB > 0, "tracker.memory_limit_mib", "positive", c.Tracker.MemoryLimitMiB)
	check(c.Tracker.MaxKeys > 0, "tracker.max_keys", "positive", c.Tracker.MaxKeys)
	check(c.Reaggregate.FlushInterval > 0, "reaggregate.flush_interval", "positive", c.Reaggregate.FlushInterval)
	check(c.Reaggregate.MaxTrackedStreams > 0, "reaggregate.max_tracked_streams", "positive", c.Reaggregate.MaxTrackedStreams)
	_, known := gauges[c.Reaggregate.Gauge]
	check(known, "reaggregate.gauge", "drop, last, min, max or sum", fmt.Sprintf("%q", c.Reaggregate.Gauge))

	_, err := patterns("exempt.metrics", c.Exempt.Metrics)
	_, specErr := c.specs()
	return errors.Join(append(errs, err, specErr)...)
}

var gauges = map[string]fold.Gauge{
	"drop": fold.GaugeDrop, "last": fold.GaugeLast, "min": fold.GaugeMin, "max": fold.GaugeMax, "sum": fold.GaugeSum,
}

func patterns(field string, exprs []string) ([]*regexp.Regexp, error) {
	var errs []error
	compiled := make([]*regexp.Regexp, 0, len(exprs))
	for i, expr := range exprs {
		r, err := limit.Anchored(expr)
		if err != nil {
			errs = append(errs, problem(fmt.Sprintf("%s[%d]", field, i), "a regular expression", fmt.Sprintf("%q: %v", expr, err)))
			continue
		}
		compiled = append(compiled, r)
	}
	return compiled, errors.Join(errs...)
}

// specs are the limits as the decision knows them.
func (c *Config) specs() ([]limit.Spec, error) {
	var errs []error
	var specs []limit.Spec
	names := make(map[string]bool)
	for i, l := range c.limits() {
		field := fmt.Sprintf("limits[%d]", i)
		spec, err := l.spec(field)
		errs = append(errs, err)
		if names[l.Name] {
			errs = append(errs, problem(field+".name", "unique", fmt.Sprintf("%q twice", l.Name)))
		}
		names[l.Name] = true
		specs = append(specs, spec)
	}
	return specs, errors.Join(errs...)
}

func (c *LimitConfig) spec(field string) (limit.Spec, error) {
	var errs []error
	check := func(ok bool, name, must string, got any) {
		if !ok {
			errs = append(errs, problem(field+"."+name, must, got))
		}
	}
	s := limit.Spec{
		Name: c.Name, Streams: c.Count == countStreams, MaxSeries: c.MaxSeries, MaxValues: c.MaxValues,
		WarnAt: c.WarnAt, DryRun: c.DryRun,
	}
	check(c.Name != "" && c.Name != limit.NoLimit, "name", `a name other than "none"`, fmt.Sprintf("%q", c.Name))
	check(len(c.Key) > 0, "key", "at least one part", "none")
	for i, text := range c.Key {
		part, err := limit.ParsePart(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s.key[%d]: %w", field, i, err))
			continue
		}
		check(!slices.Contains(s.Key, part), fmt.Sprintf("key[%d]", i), "named once", text)
		s.Key = append(s.Key, part)
	}
	check(c.Count == countAttributes || c.Count == countStreams, "count", "attributes or streams", fmt.Sprintf("%q", c.Count))
	check(c.MaxSeries >= 0, "max_series", "positive", c.MaxSeries)
	check(c.MaxValues >= 0, "max_values", "positive", c.MaxValues)
	check((c.MaxSeries > 0) != (c.MaxValues > 0), "max_series", "positive, or max_values, but not both",
		fmt.Sprintf("max_series %d, max_values %d", c.MaxSeries, c.MaxValues))
	check(c.Count != countStreams || c.MaxValues == 0, "count", "attributes where max_values is set", c.Count)
	check(c.WarnAt >= 0 && c.WarnAt <= 1, "warn_at", "from 0 to 1", c.WarnAt)
	var err error
	if s.Action, err = limit.ParseAction(c.Action); err != nil {
		errs = append(errs, fmt.Errorf("%s.action: %w", field, err))
	}
	check(s.Action != limit.Strip || c.MaxValues > 0, "action", "overflow, drop or tag where max_values is not set", c.Action)
	for i := range c.Overrides {
		o, err := c.Overrides[i].override(fmt.Sprintf("%s.overrides[%d]", field, i), c, s.Key)
		errs = append(errs, err)
		s.Overrides = append(s.Overrides, o)
	}
	return s, errors.Join(errs...)
}
