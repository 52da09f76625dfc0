package report

import (
	"slices"
	"strings"
	"unicode"

	"github.com/otelcol-custom/otelcol-custom/internal/gatewaystate"
)

// Examples is what is shown of the values of labels.
type Examples string

// The choices.
const (
	ExamplesMasked Examples = "masked" // the shape and the class
	ExamplesPlain  Examples = "plain"
	ExamplesOff    Examples = "off"
)

// clean makes a text that a sender chose harmless for terminals and readers: control characters and those that change
// the direction of writing become a sign of their own. What is markup elsewhere is text to every viewer.
func clean(s string) string {
	harmless := func(r rune) bool { return r == ' ' || unicode.IsGraphic(r) && !unicode.Is(unicode.Zs, r) }
	if strings.IndexFunc(s, func(r rune) bool { return !harmless(r) }) < 0 {
		return s
	}
	return strings.Map(func(r rune) rune {
		if harmless(r) {
			return r
		}
		return '\uFFFD'
	}, s)
}

// show returns examples as chosen.
func (e Examples) show(values []string) []string {
	if e == ExamplesOff {
		return nil
	}
	shown := make([]string, 0, len(values))
	for _, v := range values {
		if e == ExamplesMasked {
			v = gatewaystate.Mask(v)
		}
		if v = clean(v); !slices.Contains(shown, v) {
			shown = append(shown, v)
		}
	}
	return shown
}

// cleanOffender copies an offender for viewers.
func cleanOffender(o gatewaystate.Offender, e Examples) gatewaystate.Offender {
	o.Metric, o.Key = clean(o.Metric), clean(o.Key)
	o.Labels = slices.Clone(o.Labels)
	for i := range o.Labels {
		l := &o.Labels[i]
		l.Name, l.Examples = clean(l.Name), e.show(l.Examples)
	}
	o.WhatIf = slices.Clone(o.WhatIf)
	for i := range o.WhatIf {
		o.WhatIf[i].Label = clean(o.WhatIf[i].Label)
	}
	return o
}

// cleanState copies a component's state for viewers, without offenders.
func cleanState(s gatewaystate.State) gatewaystate.State {
	if s.Limiter != nil {
		l := *s.Limiter
		l.Offenders, l.Keys = nil, nil
		l.Limits = slices.Clone(l.Limits)
		for i := range l.Limits {
			l.Limits[i].Fullest = clean(l.Limits[i].Fullest)
		}
		s.Limiter = &l
	}
	if s.Log != nil {
		l := *s.Log
		l.LastError, l.Refuses = clean(gatewaystate.MaskURLs(l.LastError)), clean(l.Refuses)
		s.Log = &l
	}
	return s
}
