package doctor

import (
	"fmt"
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

// originAttributes are the resource attributes by which metricsudp separates senders, and those that become the labels job and
// instance.
var originAttributes = []string{
	"client.address", "container.id", "k8s.pod.uid", "k8s.container.name", "dogstatsd.cgroup.inode",
	"service.instance.id", "service.name", "service.namespace",
}

// collidingOrigins finds exporters that write the series of several senders under the same labels. A resource or transform
// processor that names an attribute of the origin may make a label of it.
func collidingOrigins(c *config) []Finding {
	var out []Finding
	reported := map[string]bool{}
	for _, p := range c.pipelines {
		receiver, separates := c.separatesSenders(c.upstream(p))
		if !separates {
			continue
		}
		for _, e := range c.exporters(p.exporters) {
			where := e.where + "::resource_to_telemetry_conversion"
			if !isPage(e) || e.settings.sub("resource_to_telemetry_conversion").isTrue("enabled") || reported[where] {
				continue
			}
			reported[where] = true
			out = append(out, Finding{
				where, receiver + " has a series for each sender, and the exporter writes no label for the sender: the values of one sender replace those of another",
				"set {enabled: true, exclude_service_attributes: true}; for one series of all senders set ignore_host: true in " + receiver + " and remove origin",
			})
		}
	}
	return out
}

// separatesSenders returns a metricsudp receiver of the pipelines that has an origin. It reports false if a resource or transform
// processor of theirs names an attribute of the origin.
func (c *config) separatesSenders(all []pipeline) (receiver string, separates bool) {
	for _, p := range all {
		for _, id := range p.processors {
			text := fmt.Sprint(c.root.sub("processors")[id])
			if isType(id, "resource", "transform") && slices.ContainsFunc(originAttributes, func(name string) bool { return strings.Contains(text, name) }) {
				return "", false
			}
		}
		for _, id := range p.receivers {
			if isType(id, "metricsudp") && hasOrigin(c.root.sub("receivers").sub(id)) {
				receiver = id
			}
		}
	}
	return receiver, receiver != ""
}

// hasOrigin reports whether a metricsudp receiver separates series by their senders.
func hasOrigin(s settings) bool {
	switch {
	case s.text("origin", "") != "":
		return s.text("origin", "") != "none"
	case s.isTrue("ignore_host"):
		return false
	case s.isTrue("enable_ip_only_aggregation"):
		return true
	}
	return s.text("compatibility", "") == "statsd" && !strings.HasPrefix(s.text("transport", ""), "unix")
}
