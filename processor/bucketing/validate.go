package bucketing

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/otelcol-custom/otelcol-custom/internal/check"
	"github.com/otelcol-custom/otelcol-custom/internal/expo"
	"github.com/otelcol-custom/otelcol-custom/processor/bucketing/internal/preset"
)

const (
	typeHistogram   = "histogram"
	typeExponential = "exponential_histogram"
	typeGauge       = "gauge"

	modeStateless = "stateless"
	modeStateful  = "stateful"

	onInvalidDrop   = "drop"
	onInvalidPass   = "pass"
	onInvalidRepair = "repair"

	violationReset = "reset"
	violationHold  = "hold"
	violationDrop  = "drop"

	// resourcePrefix begins the keys of match that name an attribute of the resource.
	resourcePrefix = "resource."

	strategyUniform  = "uniform"
	strategyMinError = "min_error"

	minScale, maxScale = int(expo.MinScale), int(expo.MaxScale)

	// minMaxSize buckets per sign suffice for the range of float64 at the lowest scales.
	minMaxSize = 2
	// minMaxBuckets are two buckets per sign and the zero bucket.
	minMaxBuckets = 5
	// maxBuckets guards against typing errors: no backend accepts more buckets.
	maxBuckets = 16384
	// maxMaxStreams need 35 GB.
	maxMaxStreams = 10_000_000
)

// Validate returns all errors of the configuration.
func (c *Config) Validate() error {
	var e check.Errors
	check.OneOf(&e, "error_mode", c.ErrorMode, "ignore", "propagate")
	check.OneOf(&e, "on_invalid", c.OnInvalid, onInvalidDrop, onInvalidPass, onInvalidRepair)
	e.That(len(c.Rules) > 0, "rules", "at least one rule", len(c.Rules))
	for i := range c.Rules {
		c.Rules[i].check(e.At(check.Item("rules", i)))
	}
	return e.Err()
}

func (c *RuleConfig) check(e *check.Errors) {
	match := e.At("match")
	check.Regexps(match, "metric_names", c.Match.MetricNames)
	c.Match.resource(match)
	for i, t := range c.Match.Types {
		check.OneOf(match, check.Item("types", i), t, typeHistogram, typeExponential, typeGauge)
		match.That(t != typeGauge || c.Target.Limit == nil, check.Item("types", i), "a histogram type if the target is limit", t)
	}
	c.Target.check(e)
	// The configuration does not say whether the points are cumulative, so they may be.
	e.That(c.Target.Limit == nil || c.Target.Limit.Strategy != strategyMinError || c.Cumulative.Mode != modeStateless,
		"target::limit::strategy", "uniform if cumulative::mode is stateless, which does not remember the bounds of a stream", strategyMinError)
	check.OneOf(e, "split", c.Split, "auto", "forbid", "log", "linear", "pchip", "upper", "midpoint")
	check.Share(e, "max_rank_error", c.MaxRankError)
	c.Cumulative.check(e.At("cumulative"))
	if c.OnInvalid != "" {
		check.OneOf(e, "on_invalid", c.OnInvalid, onInvalidDrop, onInvalidPass, onInvalidRepair)
	}
}

// resource returns the expressions for the resource's attributes by the attributes' names.
func (c *MatchConfig) resource(e *check.Errors) map[string][]*regexp.Regexp {
	if len(c.Resource) == 0 {
		return nil
	}
	byName := map[string][]*regexp.Regexp{}
	for _, key := range slices.Sorted(maps.Keys(c.Resource)) {
		name, found := strings.CutPrefix(key, resourcePrefix)
		if !found || name == "" {
			e.That(false, key, "one of metric_names, types, unit and "+resourcePrefix+"<attribute>", key)
			continue
		}
		check.Name(e, key, key)
		var expressions []string
		switch value := c.Resource[key].(type) {
		case string:
			expressions = []string{value}
		case []any:
			e.That(len(value) > 0, key, "at least one regular expression", len(value))
			for i, item := range value {
				text, ok := item.(string)
				e.That(ok, check.Item(key, i), "a regular expression", item)
				expressions = append(expressions, text)
			}
		default:
			e.That(false, key, "a regular expression or a list of them", value)
		}
		byName[name] = check.Regexps(e, key, expressions)
	}
	return byName
}

func (c *CumulativeConfig) check(e *check.Errors) {
	check.OneOf(e, "mode", c.Mode, modeStateless, modeStateful)
	check.Range(e, "working_scale", c.WorkingScale, minScale, maxScale)
	check.OneOf(e, "on_violation", c.OnViolation, violationReset, violationHold, violationDrop)
	e.That(c.OnViolation != violationHold || c.Mode != modeStateless, "on_violation", "reset or drop if mode is stateless, which does not remember the values that were emitted last", c.OnViolation)
	check.Range(e, "max_streams", c.MaxStreams, 1, maxMaxStreams)
}

func (c *TargetConfig) check(e *check.Errors) {
	check.ExactlyOne(e, "target", map[string]bool{
		"explicit": c.Explicit != nil, "exponential": c.Exponential != nil, "limit": c.Limit != nil,
	})
	if c.Explicit != nil {
		c.Explicit.check(e.At("target"))
	}
	if c.Exponential != nil {
		c.Exponential.check(e.At("target::exponential"))
	}
	if c.Limit != nil {
		c.Limit.check(e.At("target::limit"))
	}
}

func (c *ExplicitConfig) check(e *check.Errors) {
	check.ExactlyOne(e, "explicit", map[string]bool{"bounds": len(c.Bounds) > 0, "preset": c.Preset != ""})
	e = e.At("explicit")
	if c.Preset != "" {
		check.OneOf(e, "preset", c.Preset, preset.Names()...)
	}
	if len(c.Bounds) >= maxBuckets { // their errors may be too many to list
		e.That(false, "bounds", fmt.Sprintf("fewer than %d", maxBuckets), len(c.Bounds))
		return
	}
	check.Increasing(e, "bounds", c.Bounds)
}

func (c *ExponentialConfig) check(e *check.Errors) {
	check.Range(e, "max_scale", c.MaxScale, minScale, maxScale)
	check.Range(e, "max_size", c.MaxSize, minMaxSize, maxBuckets)
	check.NotNegative(e, "zero_threshold", c.ZeroThreshold)
}

func (c *LimitConfig) check(e *check.Errors) {
	check.Range(e, "max_buckets", c.MaxBuckets, minMaxBuckets, maxBuckets)
	check.OneOf(e, "strategy", c.Strategy, strategyUniform, strategyMinError)
	e.That(len(c.Pin) < max(c.MaxBuckets, 1), "pin", "fewer than max_buckets", len(c.Pin))
	for i, b := range c.Pin {
		check.Finite(e, check.Item("pin", i), b)
	}
}
