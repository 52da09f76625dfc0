package cardinalitylimit

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/check"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/fold"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/limit"
)

const (
	matchMetrics   = "metrics"
	resourcePrefix = "resource."
)

// compileMatch compiles the conditions of a rule or a limit. Which is the text of the allowed parts for an error.
func compileMatch(e *check.Errors, conditions map[string]any, which string, allowed func(limit.Part) bool) limit.Match {
	m := limit.Match{Equals: make(map[limit.Part]string)}
	match := e.At("match")
	for _, name := range slices.Sorted(maps.Keys(conditions)) {
		if name == matchMetrics {
			m.Metrics = check.Regexps(match, name, stringList(match, name, conditions[name]))
			continue
		}
		part, err := limit.ParsePart(name)
		if err != nil || !allowed(part) {
			match.That(false, name, which, name)
			continue
		}
		check.Name(match, name, name)
		value, ok := conditions[name].(string)
		match.That(ok, name, "a string", fmt.Sprintf("%T", conditions[name]))
		m.Equals[part] = value
	}
	return m
}

func (c *LabelsConfig) compile(e *check.Errors) limit.Rule {
	e.That(len(c.Match) > 0, "match", "at least one condition", len(c.Match))
	r := limit.Rule{
		Match: compileMatch(e, c.Match, "metrics or resource.<name>", func(p limit.Part) bool {
			return strings.HasPrefix(p.String(), resourcePrefix)
		}),
		MaxStreams: c.MaxStreams,
	}
	field, names := "drop", c.Drop
	if len(c.Keep) > 0 {
		field, names = "keep", c.Keep
		e.That(len(c.Drop) == 0, "drop", "absent where keep is set", fmt.Sprint(c.Drop))
	}
	e.That(len(names) > 0, "drop", "at least one label, or keep at least one", len(names))
	checkPrefixes(e, field, names)
	r.Labels.Keep, r.ResourceLabels.Keep = field == "keep", field == "keep"
	r.Labels.Names, r.ResourceLabels.Names = compileLabels(e, field, names)
	check.OneOf(e, "gauge", c.Gauge, "last", "min", "max", "sum", "drop")
	check.Range(e, "max_streams", c.MaxStreams, 1, maxCount)
	return r
}

// compileLabels compiles expressions for names of labels. Those that begin with "resource." are about attributes of resources.
func compileLabels(e *check.Errors, field string, labels []string) (ofPoints, ofResources limit.Names) {
	names := slices.Clone(labels)
	for i := range names {
		names[i] = strings.TrimPrefix(names[i], resourcePrefix)
	}
	compiled := check.Regexps(e, field, names)
	for i := range min(len(labels), len(compiled)) { // fewer elements if an expression is invalid
		if strings.HasPrefix(labels[i], resourcePrefix) {
			ofResources = append(ofResources, compiled[i])
		} else {
			ofPoints = append(ofPoints, compiled[i])
		}
	}
	return ofPoints, ofResources
}

// describeMerged describes the series into which a rule folds the point at hand.
func (w *walker) describeMerged(s *fold.Series, attrs pcommon.Map, d *limit.Decision) {
	s.Metadata = cloneMetadata(w.cursor.AllMetadata())
	w.cursor.RemainingResource(s.Resource.Attributes(), w.instance+"/"+w.name)
	w.pos.scope.CopyTo(s.Scope)
	s.Gauge = w.compiled.labelGauges[d.Rule]
	if d.Action == limit.Overflow {
		s.Attributes.PutBool(limit.Mark, true)
		return
	}
	w.copyKept(attrs, s.Attributes)
	if d.Action == limit.Tag {
		s.Attributes.PutStr(tagAttribute, w.set.Name(d.Limit))
	}
}

// copyKept copies the remaining attributes of the point at hand.
func (w *walker) copyKept(attrs, dest pcommon.Map) {
	i := -1
	for k, v := range attrs.All() {
		if i++; !w.cursor.IsRemoved(i) {
			v.CopyTo(dest.PutEmpty(k))
		}
	}
}

// withoutDropped removes the labels that a rule drops from exemplars. It returns the attributes of the point that its exemplars
// may get.
func (w *walker) withoutDropped(attrs pcommon.Map, exemplars pmetric.ExemplarSlice) pcommon.Map {
	if exemplars.Len() == 0 {
		return attrs
	}
	drops := func(name string, _ pcommon.Value) bool { return w.cursor.Drops(name) }
	for _, e := range exemplars.All() {
		e.FilteredAttributes().RemoveIf(drops)
	}
	kept := pcommon.NewMap()
	attrs.CopyTo(kept)
	kept.RemoveIf(drops)
	return kept
}
