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
		if !slices.ContainsFunc(c.exporters(p.exporters), isPage) {
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

func isPage(e exporter) bool { return isType(e.id, pages...) }

// deltaSources returns the processors, receivers and connectors whose deltas leave the pipeline as deltas.
func (c *config) deltaSources(p pipeline, visited []string) []string {
	if slices.Contains(visited, p.id) {
		return nil
	}
	for _, id := range slices.Backward(p.processors) {
		switch typeOf(id) {
		case "delta_to_cumulative":
			return nil
		case "cumulative_to_delta":
			return []string{id}
		}
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
		for _, before := range c.before(p, id) {
			out = append(out, c.deltaSources(before, append(visited, p.id))...)
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
	for _, e := range c.exporters(c.used("exporters")) {
		if !isPage(e) {
			continue
		}
		s := e.settings
		strategy := s.text("translation_strategy", "")
		without := strings.HasSuffix(strategy, "WithoutSuffixes") || strategy == "NoTranslation" || strategy == "" && s.text("add_metric_suffixes", "true") == "false"
		if without {
			out = append(out, Finding{
				e.where, "names have no suffix for type and unit: if a counter, a gauge and a timer have the same name, only one of them is stored",
				"set translation_strategy: UnderscoreEscapingWithSuffixes",
			})
		}
	}
	return out
}
