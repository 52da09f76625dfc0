package doctor

import (
	"cmp"
	"fmt"
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
	all = append(all, missingDiscoveries(c)...)
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
	for _, known := range components[kind] {
		if isSameName(known, former) {
			return []Finding{{where, "the gateway refuses the file: it knows the component as " + known, "rename it, also in service::pipelines"}}
		}
	}
	r, ok := replacementOf(kind, former)
	if !ok {
		return []Finding{{where, "the component is not in the distribution", "add it to an own build (docs/own-build.md), or put an agent that has it in front"}}
	}
	problem := "the component is not in the distribution"
	if r.differs != "" {
		problem += ", and the replacement differs: " + r.differs
	}
	return []Finding{{where, problem, r.fix}}
}

// isSameName reports whether two types differ in underscores only. Contrib adds them, release by release.
func isSameName(a, b string) bool {
	return strings.ReplaceAll(a, "_", "") == strings.ReplaceAll(b, "_", "")
}

func replacementOf(kind, former string) (replacement, bool) {
	for name, r := range replacements[kind] {
		if isSameName(name, former) {
			return r, true
		}
	}
	return replacement{}, false
}

// discoveries are the ways in which the distribution's prometheus receiver finds targets.
var discoveries = []string{"static_configs", "file_sd_configs", "http_sd_configs", "kubernetes_sd_configs"}

// missingDiscoveries finds ways to find targets that only the prometheus receiver of contrib has.
func missingDiscoveries(c *config) []Finding {
	var out []Finding
	for _, id := range c.root.sub("receivers").keys() {
		if !isType(id, "prometheus") {
			continue
		}
		jobs := c.root.sub("receivers").sub(id).sub("config").maps("scrape_configs")
		for i, job := range jobs {
			for _, key := range job.keys() {
				if !strings.HasSuffix(key, "_sd_configs") || slices.Contains(discoveries, key) {
					continue
				}
				out = append(out, Finding{
					fmt.Sprintf("receivers::%s::config::scrape_configs[%d]::%s", id, i, key),
					"the distribution discovers targets in Kubernetes, in files and over HTTP only: the gateway refuses the file",
					"write the targets to a file for file_sd_configs, or use an own build (docs/own-build.md)",
				})
			}
		}
	}
	return out
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
