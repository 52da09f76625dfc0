package bucketing

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
	"github.com/otelcol-custom/otelcol-custom/processor/bucketing/internal/preset"
)

const (
	typeHistogram   = "histogram"
	typeExponential = "exponential_histogram"

	// minMaxSize is what the range of float64 needs at the lowest scales.
	minMaxSize = 2
	// minMaxBuckets is two for each sign and the zero bucket.
	minMaxBuckets = 5
	// maxBuckets guards against a slip of the pen: no backend takes more.
	maxBuckets = 16384
)

// check returns every fault of a rule; each begins with the field.
func (c *RuleConfig) check() []error {
	errs := c.Match.check()
	errs = append(errs, c.Target.check()...)
	errs = append(errs,
		oneOf("split", c.Split, "auto", "forbid", "log", "linear", "upper", "midpoint"),
		oneOf("on_invalid", c.OnInvalid, "pass", "drop"),
		within("cumulative.working_scale", int(c.Cumulative.WorkingScale), int(expo.MinScale), int(expo.MaxScale)),
	)
	if !(c.MaxRankError > 0 && c.MaxRankError <= 1) {
		errs = append(errs, fmt.Errorf("max_rank_error: must be above 0 and at most 1 (got %v)", c.MaxRankError))
	}
	return slices.DeleteFunc(errs, func(err error) bool { return err == nil })
}

func (c *MatchConfig) check() []error {
	var errs []error
	for i, expr := range c.MetricNames {
		if _, err := anchored(expr); err != nil {
			errs = append(errs, fmt.Errorf("match.metric_names[%d]: must be a regular expression (got %q): %w", i, expr, err))
		}
	}
	for i, t := range c.Types {
		errs = append(errs, oneOf(fmt.Sprintf("match.types[%d]", i), t, typeHistogram, typeExponential))
	}
	return errs
}

// anchored compiles an expression that must match the whole name.
func anchored(expr string) (*regexp.Regexp, error) {
	if _, err := regexp.Compile(expr); err != nil { // its own faults, not those of the group around it
		return nil, err
	}
	return regexp.Compile("^(?:" + expr + ")$")
}

func (c *TargetConfig) check() []error {
	var errs []error
	var set []string
	if c.Explicit != nil {
		set = append(set, "explicit")
		errs = append(errs, c.Explicit.check()...)
	}
	if c.Exponential != nil {
		set = append(set, "exponential")
		errs = append(errs, c.Exponential.check()...)
	}
	if c.Limit != nil {
		set = append(set, "limit")
		errs = append(errs, c.Limit.check()...)
	}
	if len(set) != 1 {
		got := strings.Join(set, ", ")
		if got == "" {
			got = "none"
		}
		errs = append(errs, fmt.Errorf("target: must be exactly one of explicit, exponential, limit (got %s)", got))
	}
	return errs
}

func (c *ExplicitConfig) check() []error {
	if (len(c.Bounds) > 0) == (c.Preset != "") {
		return []error{fmt.Errorf("target.explicit: must be either bounds or preset (got %d bounds and preset %q)", len(c.Bounds), c.Preset)}
	}
	if c.Preset != "" {
		if _, err := preset.Lookup(c.Preset); err != nil {
			return []error{fmt.Errorf("target.explicit.preset: %w", err)}
		}
		return nil
	}
	if len(c.Bounds) >= maxBuckets {
		return []error{fmt.Errorf("target.explicit.bounds: must be fewer than %d (got %d)", maxBuckets, len(c.Bounds))}
	}
	var errs []error
	for i, b := range c.Bounds {
		if !finite(b) {
			errs = append(errs, fmt.Errorf("target.explicit.bounds[%d]: must be finite (got %v)", i, b))
		} else if i > 0 && b <= c.Bounds[i-1] {
			errs = append(errs, fmt.Errorf("target.explicit.bounds[%d]: must be greater than the bound before, %v (got %v)", i, c.Bounds[i-1], b))
		}
	}
	return errs
}

func (c *ExponentialConfig) check() []error {
	errs := []error{
		within("target.exponential.max_scale", int(c.MaxScale), int(expo.MinScale), int(expo.MaxScale)),
		within("target.exponential.max_size", c.MaxSize, minMaxSize, maxBuckets),
	}
	if !(c.ZeroThreshold >= 0) || !finite(c.ZeroThreshold) {
		errs = append(errs, fmt.Errorf("target.exponential.zero_threshold: must be finite and not negative (got %v)", c.ZeroThreshold))
	}
	return errs
}

func (c *LimitConfig) check() []error {
	errs := []error{
		within("target.limit.max_buckets", c.MaxBuckets, minMaxBuckets, maxBuckets),
		oneOf("target.limit.strategy", c.Strategy, "uniform"),
	}
	if len(c.Pin) > max(c.MaxBuckets-1, 0) {
		errs = append(errs, fmt.Errorf("target.limit.pin: must be at most max_buckets-1 bounds (got %d)", len(c.Pin)))
	}
	for i, b := range c.Pin {
		if !finite(b) {
			errs = append(errs, fmt.Errorf("target.limit.pin[%d]: must be finite (got %v)", i, b))
		}
	}
	return errs
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

func within(field string, got, lo, hi int) error {
	if got < lo || got > hi {
		return fmt.Errorf("%s: must be from %d to %d (got %d)", field, lo, hi, got)
	}
	return nil
}

func oneOf(field, got string, allowed ...string) error {
	if !slices.Contains(allowed, got) {
		return fmt.Errorf("%s: must be one of %s (got %q)", field, strings.Join(allowed, ", "), got)
	}
	return nil
}
