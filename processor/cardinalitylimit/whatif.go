package cardinalitylimit

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/otelcol-custom/otelcol-custom/internal/check"
	"github.com/otelcol-custom/otelcol-custom/internal/gatewaystate"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/offenders"
)

// whatIf is what an offender would need without each of its labels, the smallest number first. A label without which
// less than a tenth of them goes is left out: the estimates are not more exact.
func (p *limiter) whatIf(o *offenders.Offender) (all []gatewaystate.WhatIf) {
	for i := range o.Labels {
		l := &o.Labels[i]
		if l.Without == 0 || 10*l.Without > 9*o.Wanted() {
			continue
		}
		all = append(all, gatewaystate.WhatIf{
			Label: l.Name, Series: l.Without, Wanted: o.Wanted(), Partial: o.Partial, Remedy: remedy(o.Metric, l.Name),
		})
	}
	slices.SortStableFunc(all, func(a, b gatewaystate.WhatIf) int { return cmp.Compare(a.Series, b.Series) })
	return all
}

// remedy is the configuration that removes a label from a metric, or "" where a name was cut or does not pass the
// validation of the configuration. Names come from senders, so they are quoted twice: as an expression and in YAML.
func remedy(metric, label string) string {
	if offenders.IsClipped(metric) || offenders.IsClipped(label) {
		return ""
	}
	name, isResource := strings.CutPrefix(label, resourcePrefix)
	metrics, drop := expression(metric), expression(name)
	if isResource {
		drop = resourcePrefix + drop
	}
	rule := LabelsConfig{
		Match: map[string]any{matchMetrics: []any{metrics}}, Drop: []string{drop}, Gauge: "last", MaxStreams: defaultMaxStreams,
	}
	var e check.Errors
	if rule.compile(&e); e.Err() != nil {
		return ""
	}
	return "processors:\n  cardinalitylimit:\n    labels:\n      - match: {metrics: [" + quoted(metrics) +
		"]}\n        drop: [" + quoted(drop) + "]\n"
}

// expression matches a name alone. Characters that a person cannot see, or that turn the direction of writing, are escaped.
func expression(name string) string {
	var b strings.Builder
	for _, r := range regexp.QuoteMeta(name) {
		if r == ' ' || unicode.IsGraphic(r) && !unicode.Is(unicode.Zs, r) {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, `\x{%x}`, r)
		}
	}
	return b.String()
}

// quoted is a text in JSON's quotes, which YAML reads. The Collector would replace what a single $ begins.
func quoted(text string) string {
	b, err := json.Marshal(text)
	if err != nil { // a string is always a JSON value
		return ""
	}
	return strings.ReplaceAll(string(b), "$", "$$")
}
