package cardinalitylimit

import "fmt"

// rules is a text that differs where another stream may leave as itself without a
// place: under a dry run, an exemption, a tag, or without the limit. How many places
// there are does not matter: who left has one.
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
