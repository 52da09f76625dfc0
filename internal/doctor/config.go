package doctor

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// config is a configuration with its parsed pipelines.
type config struct {
	root      settings
	pipelines []pipeline // sorted by ID
}

// pipeline is one of service::pipelines.
type pipeline struct {
	id                               string
	receivers, processors, exporters []string
}

func newConfig(resolved map[string]any) *config {
	c := &config{root: resolved}
	all := c.root.sub("service").sub("pipelines")
	for _, id := range all.keys() {
		p := all.sub(id)
		c.pipelines = append(c.pipelines, pipeline{id, p.list("receivers"), p.list("processors"), p.list("exporters")})
	}
	return c
}

// settings is a map in the configuration. For an absent key or a value of another type its methods return zero values,
// because the gateway's validation reports such errors.
type settings map[string]any

func (s settings) sub(key string) settings {
	m, _ := s[key].(map[string]any)
	return m
}

func (s settings) has(key string) bool {
	_, ok := s[key]
	return ok
}

func (s settings) keys() []string { return slices.Sorted(maps.Keys(s)) }

func (s settings) list(key string) []string {
	items, _ := s[key].([]any)
	out := make([]string, 0, len(items))
	for _, item := range items {
		out = append(out, fmt.Sprint(item))
	}
	return out
}

// maps returns the maps in a list.
func (s settings) maps(key string) []settings {
	items, _ := s[key].([]any)
	var out []settings
	for _, item := range items {
		m, _ := item.(map[string]any)
		out = append(out, m)
	}
	return out
}

func (s settings) text(key, otherwise string) string {
	v, ok := s[key]
	if !ok || v == nil {
		return otherwise
	}
	return fmt.Sprint(v)
}

// number returns a whole number. The Collector also accepts one that is written with a point or an exponent, such as 1e6.
func (s settings) number(key string, otherwise int64) int64 {
	text := s.text(key, "")
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) >= 1<<63 {
		return otherwise
	}
	return int64(f)
}

func (s settings) isTrue(key string) bool { return s.text(key, "") == "true" }

// typeOf returns the present name of the type in a component's ID.
func typeOf(id string) string {
	kind, _, _ := strings.Cut(id, "/")
	if present, ok := formerNames[kind]; ok {
		return present
	}
	return kind
}

func isType(id string, types ...string) bool { return slices.Contains(types, typeOf(id)) }

// used returns the sorted IDs of the configured components of a kind, such as "exporters", that the gateway starts.
func (c *config) used(kind string) []string {
	started := c.root.sub("service").list("extensions")
	for _, p := range c.pipelines {
		switch kind {
		case "receivers":
			started = append(started, p.receivers...)
		case "processors":
			started = append(started, p.processors...)
		case "exporters":
			started = append(started, p.exporters...)
		}
	}
	return slices.DeleteFunc(c.root.sub(kind).keys(), func(id string) bool { return !slices.Contains(started, id) })
}

// ids returns the IDs of used whose component has one of the types.
func (c *config) ids(kind string, types ...string) []string {
	return slices.DeleteFunc(c.used(kind), func(id string) bool { return !isType(id, types...) })
}

// exporter is an exporter of a pipeline, or the one that fallbacklog wraps.
type exporter struct {
	id, where string // where is the path of its settings
	settings  settings
}

// exporters returns the exporters with the IDs, each followed by the exporter that it wraps, if any.
func (c *config) exporters(ids []string) []exporter {
	var out []exporter
	for _, id := range ids {
		e := exporter{id, "exporters::" + id, c.root.sub("exporters").sub(id)}
		out = append(out, e)
		if !isType(id, "fallbacklog") {
			continue
		}
		wrapped := e.settings.sub("exporter")
		for _, inner := range wrapped.keys() {
			out = append(out, exporter{inner, e.where + "::exporter::" + inner, wrapped.sub(inner)})
		}
	}
	return out
}

// signal returns the pipeline's kind of data, such as "metrics".
func (p pipeline) signal() string {
	signal, _, _ := strings.Cut(p.id, "/")
	return signal
}

// before returns the pipelines that pass their data through a connector to the pipeline. A connector from one signal to another
// makes new data.
func (c *config) before(p pipeline, connector string) []pipeline {
	return slices.DeleteFunc(slices.Clone(c.pipelines), func(candidate pipeline) bool {
		return candidate.signal() != p.signal() || !slices.Contains(candidate.exporters, connector)
	})
}

// upstream returns the pipeline and every pipeline whose data reaches it through connectors.
func (c *config) upstream(p pipeline) []pipeline {
	out, seen := []pipeline{p}, map[string]bool{p.id: true}
	for i := 0; i < len(out); i++ {
		for _, receiver := range out[i].receivers {
			if !c.root.sub("connectors").has(receiver) {
				continue
			}
			for _, candidate := range c.before(out[i], receiver) {
				if !seen[candidate.id] {
					seen[candidate.id] = true
					out = append(out, candidate)
				}
			}
		}
	}
	return out
}

// isIngress reports whether a receiver feeds the pipeline. A connector is not a receiver.
func (c *config) isIngress(p pipeline) bool {
	return slices.ContainsFunc(p.receivers, func(id string) bool { return !c.root.sub("connectors").has(id) })
}

// uses reports whether a pipeline lists a component of one of the types.
func uses(ids []string, types ...string) bool {
	return slices.ContainsFunc(ids, func(id string) bool { return isType(id, types...) })
}
