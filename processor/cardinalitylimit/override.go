package cardinalitylimit

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/limit"
)

// override compiles an override of limit l. What it matches on must be part of the
// key: otherwise one key would have two maxima.
func (c *OverrideConfig) override(field string, l *LimitConfig, key []limit.Part) (limit.Override, error) {
	o := limit.Override{Equals: make(map[limit.Part]string), Max: max(c.MaxSeries, c.MaxValues)}
	var errs []error
	fail := func(name, must string, got any) {
		errs = append(errs, problem(field+"."+name, must, got))
	}
	if len(c.Match) == 0 {
		fail("match", "at least one condition", "none")
	}
	switch {
	case l.MaxSeries > 0 && (c.MaxSeries <= 0 || c.MaxValues != 0):
		fail("max_series", "positive and the only maximum, as the limit's is", fmt.Sprintf("max_series %d, max_values %d", c.MaxSeries, c.MaxValues))
	case l.MaxValues > 0 && (c.MaxValues <= 0 || c.MaxSeries != 0):
		fail("max_values", "positive and the only maximum, as the limit's is", fmt.Sprintf("max_series %d, max_values %d", c.MaxSeries, c.MaxValues))
	}
	for _, name := range slices.Sorted(maps.Keys(c.Match)) {
		value := c.Match[name]
		text := name
		if name == "metrics" {
			text = "metric.name"
		}
		part, err := limit.ParsePart(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s.match.%s: %w", field, name, err))
			continue
		}
		if !slices.Contains(key, part) {
			fail("match."+name, "a part of the limit's key", l.Key)
		}
		if name != "metrics" {
			s, ok := value.(string)
			if !ok {
				fail("match."+name, "a string", fmt.Sprintf("%T", value))
			}
			o.Equals[part] = s
			continue
		}
		exprs, err := stringList(value)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s.match.metrics: %w", field, err))
			continue
		}
		if o.Metrics, err = patterns(field+".match.metrics", exprs); err != nil {
			errs = append(errs, err)
		}
	}
	return o, errors.Join(errs...)
}

func stringList(value any) ([]string, error) {
	list, ok := value.([]any)
	if !ok || len(list) == 0 {
		return nil, fmt.Errorf("must be a list of regular expressions (got %v)", value)
	}
	out := make([]string, len(list))
	for i, v := range list {
		if out[i], ok = v.(string); !ok {
			return nil, fmt.Errorf("must be a list of regular expressions (got %T)", v)
		}
	}
	return out, nil
}
