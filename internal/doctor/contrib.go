package doctor

import (
	"cmp"
	"slices"
	"strings"
)

// From returns the changes that a configuration of otelcol-contrib needs before the distribution runs it: replacements of
// missing components, with the differences in behaviour, and renamed components and keys.
func From(resolved map[string]any) []Finding {
	c := newConfig(resolved)
	var all []Finding
	for _, kind := range []string{"receivers", "processors", "exporters", "connectors", "extensions"} {
		for _, id := range c.root.sub(kind).keys() {
			all = append(all, translate(kind, id)...)
		}
	}
	all = append(all, renamedKeys(c)...)
	slices.SortStableFunc(all, func(a, b Finding) int { return cmp.Compare(a.Where, b.Where) })
	return all
}

func translate(kind, id string) []Finding {
	where := kind + "::" + id
	former, _, _ := strings.Cut(id, "/")
	// "otlp" is the name of a receiver. As an exporter it is the former name of otlp_grpc.
	present := typeOf(id)
	if kind == "exporters" && former == "otlp" {
		present = "otlp_grpc"
	}
	if slices.Contains(components[kind], present) {
		if present != former {
			return []Finding{{where, "the component is called " + present + " now; the former name still works", "rename it, also in service::pipelines"}}
		}
		return nil
	}
	r, ok := replacements[kind][former]
	if !ok {
		return []Finding{{where, "the component is not in the distribution", "add it to an own build (docs/own-build.md), or put an agent that has it in front"}}
	}
	problem := "the component is not in the distribution"
	if r.differs != "" {
		problem += ", and the replacement differs: " + r.differs
	}
	return []Finding{{where, problem, r.fix}}
}

// renamedKeys finds keys that the present Collector refuses or interprets differently.
func renamedKeys(c *config) []Finding {
	var out []Finding
	metrics := c.root.sub("service").sub("telemetry").sub("metrics")
	if metrics.has("address") {
		out = append(out, Finding{
			"service::telemetry::metrics::address", "the key is gone: the gateway refuses the file",
			"use service::telemetry::metrics::readers, as in configs/quickstart.yaml",
		})
	}
	if c.root.sub("service").has("ballast_size_mib") {
		out = append(out, Finding{"service::ballast_size_mib", "the key is gone", "remove it; GOMEMLIMIT does its work"})
	}
	for _, id := range c.root.sub("exporters").keys() {
		s := c.root.sub("exporters").sub(id)
		where := "exporters::" + id
		if s.has("insecure") {
			out = append(out, Finding{where + "::insecure", "the key is gone: the gateway refuses the file", "use tls: {insecure: ...}"})
		}
		if isType(id, pages...) && s.has("add_metric_suffixes") {
			out = append(out, Finding{where + "::add_metric_suffixes", "the key is deprecated", "use translation_strategy"})
		}
		if isType(id, "debug", "logging") && s.has("loglevel") {
			out = append(out, Finding{where + "::loglevel", "the key is gone: the gateway refuses the file", "use verbosity: basic, normal or detailed"})
		}
	}
	for _, id := range c.root.sub("processors").keys() {
		s := c.root.sub("processors").sub(id)
		if isType(id, "memory_limiter") && s.has("ballast_size_mib") {
			out = append(out, Finding{"processors::" + id + "::ballast_size_mib", "the key is gone: the gateway refuses the file", "remove it"})
		}
		if isType(id, "batch") {
			out = append(out, Finding{
				"processors::" + id, "the batch processor acknowledges early: with it a crash loses data",
				"for durability use fallbacklog with sending_queue: {wait_for_result: true, batch: ...} instead (configs/gateway.yaml)",
			})
		}
	}
	return out
}
