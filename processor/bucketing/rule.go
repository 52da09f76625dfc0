package bucketing

import (
	"cmp"
	"regexp"
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/check"
	"github.com/otelcol-custom/otelcol-custom/internal/rebucket"
	"github.com/otelcol-custom/otelcol-custom/processor/bucketing/internal/convert"
	"github.com/otelcol-custom/otelcol-custom/processor/bucketing/internal/preset"
)

// rule is a configured rule, compiled. Immutable.
type rule struct {
	resource map[string][]*regexp.Regexp // by attribute, any of them; all resources if empty
	names    []*regexp.Regexp            // any of them; all metrics if empty
	types    []pmetric.MetricType
	unit     string
	apply    convert.Rule
}

// compile turns a validated configuration into rules: scales fit 32 bits.
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
		r.apply = convert.Rule{
			Index:        i,
			Split:        splits[c.Split],
			Forbid:       c.Split == "forbid",
			WorkingScale: int32(c.Cumulative.WorkingScale),
			MaxRankError: c.MaxRankError,
			OnInvalid:    onInvalid[cmp.Or(c.OnInvalid, cfg.OnInvalid)],
			OnViolation:  actions[c.Cumulative.OnViolation],
		}
		if c.Cumulative.Mode == modeStateful {
			r.apply.Streams = convert.NewStreams(c.Cumulative.MaxStreams)
		}
		if err := c.Target.compile(&r.apply); err != nil {
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

// splits has what auto stands for: of all, PCHIP has the least mean error in each kind
// of conversion, and with the fixed shares of cumulative streams it is Log (see
// TestAutoIsMostAccurate in internal/rebucket). Forbid never splits, so any will do.
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

var actions = map[string]convert.Action{"reset": convert.Reset, "hold": convert.Hold, "drop": convert.Drop}

func (c *TargetConfig) compile(r *convert.Rule) error {
	switch {
	case c.Explicit != nil && c.Explicit.Preset != "":
		p, err := preset.Lookup(c.Explicit.Preset)
		if err != nil {
			return err
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

// matchesResource reports whether each attribute that the rule names is there and matches.
func (r *rule) matchesResource(attributes pcommon.Map) bool {
	for name, any := range r.resource {
		v, found := attributes.Get(name)
		if !found || !matchesAny(any, v.AsString()) {
			return false
		}
	}
	return true
}

// matches reports whether the rule, whose resource matches, is for a metric.
func (r *rule) matches(m pmetric.Metric) bool {
	if !slices.Contains(r.types, m.Type()) || r.unit != "" && r.unit != m.Unit() {
		return false
	}
	return len(r.names) == 0 || matchesAny(r.names, m.Name())
}

func matchesAny(expressions []*regexp.Regexp, text string) bool {
	return slices.ContainsFunc(expressions, func(re *regexp.Regexp) bool { return re.MatchString(text) })
}
