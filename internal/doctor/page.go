package doctor

import (
	"slices"
	"strings"
)

// pages are the exporters to Prometheus: one serves a page that Prometheus scrapes, the other one writes.
var pages = []string{"prometheus", "prometheus_remote_write"}

// deltasOnThePage finds pipelines in which deltas reach an exporter that silently drops them.
func deltasOnThePage(c *config) []Finding {
	var out []Finding
	for _, p := range c.pipelines {
		if !uses(p.exporters, pages...) {
			continue
		}
		for _, source := range c.deltaSources(p, nil) {
			out = append(out, Finding{
				"service::pipelines::" + p.id, source + " may send deltas, which the Prometheus exporter drops",
				"put delta_to_cumulative last in the pipeline; for metricsudp alone, temporality: cumulative is enough",
			})
		}
	}
	return out
}

// deltaSources returns the receivers and connectors whose deltas leave the pipeline as deltas.
func (c *config) deltaSources(p pipeline, visited []string) []string {
	if uses(p.processors, "delta_to_cumulative") || slices.Contains(visited, p.id) {
		return nil
	}
	var out []string
	for _, id := range p.receivers {
		if !c.root.sub("connectors").has(id) {
			if c.mayBeDelta(id) {
				out = append(out, id)
			}
			continue
		}
		if isType(id, "span_metrics") {
			if strings.HasSuffix(c.root.sub("connectors").sub(id).text("aggregation_temporality", ""), "DELTA") {
				out = append(out, id)
			}
			continue
		}
		for _, before := range c.pipelines {
			if slices.Contains(before.exporters, id) {
				out = append(out, c.deltaSources(before, append(visited, p.id))...)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (c *config) mayBeDelta(receiver string) bool {
	switch typeOf(receiver) {
	case "otlp": // the sender chooses
		return true
	case "metricsudp":
		return c.root.sub("receivers").sub(receiver).text("temporality", "delta") == "delta"
	}
	return false
}

// collidingNames finds exporters that give metrics of different types the same name.
func collidingNames(c *config) []Finding {
	var out []Finding
	for _, id := range c.ids("exporters", pages...) {
		s := c.root.sub("exporters").sub(id)
		strategy := s.text("translation_strategy", "")
		without := strings.HasSuffix(strategy, "WithoutSuffixes") || strategy == "NoTranslation" || strategy == "" && s.text("add_metric_suffixes", "true") == "false"
		if without {
			out = append(out, Finding{
				"exporters::" + id, "names have no suffix for type and unit: if a counter, a gauge and a timer have the same name, only one of them is stored",
				"set translation_strategy: UnderscoreEscapingWithSuffixes",
			})
		}
	}
	return out
}
