package bucketing

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/check"
	"github.com/otelcol-custom/otelcol-custom/internal/rebucket"
	"github.com/otelcol-custom/otelcol-custom/processor/bucketing/internal/convert"
	"github.com/otelcol-custom/otelcol-custom/processor/bucketing/internal/preset"
)

// rule is a compiled rule. It is immutable.
type rule struct {
	resource   map[string][]*regexp.Regexp // alternatives per attribute; empty matches all resources
	names      []*regexp.Regexp            // alternatives; empty matches all metrics
	types      []pmetric.MetricType
	unit       string
	conversion convert.Rule
}

// compile compiles the rules of a validated configuration. Validation has checked that scales fit 32 bits.
func compile(cfg *Config) ([]rule, error) {
	rules := make([]rule, len(cfg.Rules))
	for i := range cfg.Rules {
		c, r := &cfg.Rules[i], &rules[i]
		var e check.Errors
		r.names = check.Regexps(&e, "metric_names", c.Match.MetricNames)
		r.resource = c.Match.resource(&e)
		if err := e.Err(); err != nil {
			return nil, err
		}
		for _, t := range c.Match.Types {
			r.types = append(r.types, metricTypes[t])
		}
		if len(r.types) == 0 {
			r.types = []pmetric.MetricType{pmetric.MetricTypeHistogram, pmetric.MetricTypeExponentialHistogram}
		}
		r.unit = c.Match.Unit
		r.conversion = convert.Rule{
			Index:        i,
			Split:        splits[c.Split],
			Forbid:       c.Split == "forbid",
			WorkingScale: int32(c.Cumulative.WorkingScale),
			MaxRankError: c.MaxRankError,
			OnInvalid:    onInvalid[cmp.Or(c.OnInvalid, cfg.OnInvalid)],
			OnViolation:  actions[c.Cumulative.OnViolation],
		}
		if c.Cumulative.Mode == modeStateful {
			r.conversion.Streams = convert.NewStreams(c.Cumulative.MaxStreams)
		}
		if err := c.Target.compile(&r.conversion); err != nil {
			return nil, err
		}
	}
	return rules, nil
}

var metricTypes = map[string]pmetric.MetricType{
	typeHistogram:   pmetric.MetricTypeHistogram,
	typeExponential: pmetric.MetricTypeExponentialHistogram,
	typeGauge:       pmetric.MetricTypeGauge,
}

// splits maps the configured names. auto is PCHIP, which has the smallest mean error in each kind of conversion (see
// TestAutoIsMostAccurate in internal/rebucket). For cumulative streams, whose shares are fixed, PCHIP is the same as Log.
// The value of forbid does not matter, as such a rule never splits a bucket.
var splits = map[string]rebucket.Split{
	"auto":     rebucket.PCHIP,
	"forbid":   rebucket.Log,
	"log":      rebucket.Log,
	"linear":   rebucket.Linear,
	"upper":    rebucket.Upper,
	"midpoint": rebucket.Midpoint,
	"pchip":    rebucket.PCHIP,
}

var onInvalid = map[string]convert.OnInvalid{
	onInvalidDrop: convert.DropInvalid, onInvalidPass: convert.PassInvalid, onInvalidRepair: convert.RepairInvalid,
}

var actions = map[string]convert.Action{
	violationReset: convert.Reset, violationHold: convert.Hold, violationDrop: convert.Drop,
}

func (c *TargetConfig) compile(r *convert.Rule) error {
	switch {
	case c.Explicit != nil && c.Explicit.Preset != "":
		p, ok := preset.Lookup(c.Explicit.Preset)
		if !ok {
			return fmt.Errorf("target::explicit::preset: must be one of %s (got %q)", strings.Join(preset.Names(), ", "), c.Explicit.Preset)
		}
		r.Explicit = &convert.Explicit{Bounds: map[string][]float64{}}
		for _, unit := range []string{"", "s", "ms", "us", "ns"} {
			r.Explicit.Bounds[unit] = p.In(unit)
		}
	case c.Explicit != nil:
		r.Explicit = &convert.Explicit{Bounds: map[string][]float64{"": slices.Clone(c.Explicit.Bounds)}}
	case c.Exponential != nil:
		r.Exponential = &convert.Exponential{MaxScale: int32(c.Exponential.MaxScale), MaxSize: c.Exponential.MaxSize, ZeroThreshold: c.Exponential.ZeroThreshold}
	case c.Limit != nil:
		r.Limit = &convert.Limit{MaxBuckets: c.Limit.MaxBuckets, MinError: c.Limit.Strategy == strategyMinError, Pin: slices.Sorted(slices.Values(c.Limit.Pin))}
	}
	return nil
}

// matchesResource reports whether the resource has each attribute that the rule names, with a matching value.
func (r *rule) matchesResource(attributes pcommon.Map) bool {
	for name, expressions := range r.resource {
		v, found := attributes.Get(name)
		if !found || !matchesAny(expressions, v.AsString()) {
			return false
		}
	}
	return true
}

// matches reports whether the rule matches a metric. The caller has checked the resource.
func (r *rule) matches(m pmetric.Metric) bool {
	if !slices.Contains(r.types, m.Type()) || r.unit != "" && r.unit != m.Unit() {
		return false
	}
	return len(r.names) == 0 || matchesAny(r.names, m.Name())
}

func matchesAny(expressions []*regexp.Regexp, text string) bool {
	return slices.ContainsFunc(expressions, func(re *regexp.Regexp) bool { return re.MatchString(text) })
}
