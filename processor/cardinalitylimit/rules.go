package cardinalitylimit

import "fmt"

// rules returns a text of everything that decides whether a stream without a place may leave as itself: mode, exemptions,
// rules for labels, and limits with their actions. It excludes the number of places, because a stream that left under another
// number has a place.
func (c *Config) rules() string {
	text := fmt.Sprintf("%s %q", c.Mode, c.Exempt.Metrics)
	for _, l := range c.Labels {
		text += fmt.Sprintf(" | %v %q %q", l.Match, l.Drop, l.Keep)
	}
	for _, l := range c.limits() {
		text += fmt.Sprintf(" | %q %q %s values=%t %s dry_run=%t", l.Name, l.Key, l.Count, l.MaxValues > 0, l.Action, l.DryRun)
	}
	return text
}
