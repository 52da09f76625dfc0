package cardinalitylimit

import (
	"fmt"
	"maps"
	"slices"

	"github.com/otelcol-custom/otelcol-custom/internal/check"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/limit"
)

// compile compiles an override of limit l. Its conditions must be about parts of the key, because one key must not have two
// maxima.
func (c *OverrideConfig) compile(e *check.Errors, l *LimitConfig, key []limit.Part) limit.Override {
	o := limit.Override{Equals: make(map[limit.Part]string), Max: max(c.MaxSeries, c.MaxValues)}
	e.That(len(c.Match) > 0, "match", "at least one condition", len(c.Match))
	if l.MaxValues > 0 {
		check.Range(e, "max_values", c.MaxValues, 1, maxCount)
		e.That(c.MaxSeries == 0, "max_series", "absent where the limit has max_values", c.MaxSeries)
	} else {
		check.Range(e, "max_series", c.MaxSeries, 1, maxCount)
		e.That(c.MaxValues == 0, "max_values", "absent where the limit has max_series", c.MaxValues)
	}
	match := e.At("match")
	for _, name := range slices.Sorted(maps.Keys(c.Match)) {
		text := name
		if name == "metrics" {
			text = "metric.name"
		}
		part, err := limit.ParsePart(text)
		if err != nil {
			match.Wrap(name, err)
			continue
		}
		check.Name(match, name, name)
		match.That(slices.Contains(key, part), name, "a part of the limit's key", l.Key)
		_, twice := o.Equals[part]
		match.That(!twice, name, "named once", c.Match[name])
		if name == "metrics" {
			o.Metrics = check.Regexps(match, name, stringList(match, name, c.Match[name]))
			continue
		}
		value, ok := c.Match[name].(string)
		match.That(ok, name, "a string", fmt.Sprintf("%T", c.Match[name]))
		o.Equals[part] = value
	}
	return o
}

// stringList returns a list of strings. It reports any other value as an error.
func stringList(e *check.Errors, field string, value any) (out []string) {
	list, ok := value.([]any)
	e.That(ok && len(list) > 0, field, "a list of regular expressions", value)
	for i, item := range list {
		text, ok := item.(string)
		e.That(ok, check.Item(field, i), "a regular expression", item)
		out = append(out, text)
	}
	return out
}
