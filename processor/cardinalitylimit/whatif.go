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

// whatIf returns the number of series that an offender would have without each of its labels, the smallest number first. It
// omits labels that would remove less than a tenth of the series, because the estimates are not exact enough.
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

// remedy returns the configuration that removes a label from a metric. It returns "" if a name was cut or fails the validation
// of the configuration. Names come from senders, so they are quoted twice: as an expression and in YAML.
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

// expression returns an expression that matches only the given name. It escapes invisible characters and those that change the
// direction of writing.
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

// quoted returns a text in JSON quotes, which YAML also reads. It doubles each $, because the Collector expands a single one.
func quoted(text string) string {
	b, err := json.Marshal(text)
	if err != nil { // a string is always a JSON value
		return ""
	}
	return strings.ReplaceAll(string(b), "$", "$$")
}
