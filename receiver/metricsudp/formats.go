package metricsudp

import (
	"slices"

	"github.com/otelcol-custom/otelcol-custom/internal/check"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
)

// tagFieldFormat is the value of tag_formats for DogStatsD's tag field.
const tagFieldFormat = "dogstatsd"

// tagFormats are the values of tag_formats, by format. The value of line.Plain is that of the tag field.
var tagFormats = func() (names [line.Formats]string) {
	names[line.Plain] = tagFieldFormat
	for f := line.Plain + 1; f < line.Formats; f++ {
		names[f] = f.String()
	}
	return names
}()

func (c *Config) checkTagFormats(e *check.Errors) {
	for i, name := range c.TagFormats {
		field := check.Item("tag_formats", i)
		check.OneOf(e, field, name, tagFormats[:]...)
		e.That(!slices.Contains(c.TagFormats[:i], name), field, "listed once", name)
	}
}

// nameFormats returns the configured formats of tags in names.
func (c *Config) nameFormats() (set line.FormatSet) {
	for f := line.Plain + 1; f < line.Formats; f++ {
		if slices.Contains(c.TagFormats, tagFormats[f]) {
			set.Add(f)
		}
	}
	return set
}
