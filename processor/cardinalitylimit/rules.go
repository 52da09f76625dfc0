package cardinalitylimit

import "fmt"

// rules returns a text of everything that decides whether a stream without a place may leave as itself: mode, attribute_limits,
// exemptions, rules for labels, and limits with their actions. It excludes the number of places, because a stream that left under
// another number has a place.
func (c *Config) rules() string {
	text := fmt.Sprintf("%s %v %q", c.Mode, c.AttributeLimits, c.Exempt.Metrics)
	for _, l := range c.Labels {
		text += fmt.Sprintf(" | %v %q %q %s", l.Match, l.Drop, l.Keep, l.Gauge)
	}
	for _, l := range c.limits() {
		text += fmt.Sprintf(" | %q %v %q %s values=%t %q %q %s dry_run=%t",
			l.Name, l.Match, l.Key, l.Count, l.MaxValues > 0, l.Labels, l.Except, l.Action, l.DryRun)
	}
	return text
}
