package report

import (
	"cmp"
	"slices"
	"strings"
)

// Pipeline is one of the service's.
type Pipeline struct {
	Signal                           string // metrics, traces or logs
	Receivers, Processors, Exporters []string
}

// units of the signals.
var units = map[string]string{"metrics": "points", "traces": "spans", "logs": "records"}

// signals are in the order in which viewers see them.
var signals = []string{"metrics", "traces", "logs"}

// ownNames are the signals in the names of the Collector's own metrics.
var ownNames = map[string]string{"metrics": "metric_points", "traces": "spans", "logs": "log_records"}

// Pipelines are those of the service, and the connectors, which are receivers of one and exporters of another.
type Pipelines struct {
	All        []Pipeline
	Connectors map[string]bool
}

// routes are the pairs of signal and exporter, connectors left out, with the pipelines that lead there.
func (p Pipelines) routes() []*path {
	var found []*path
	for _, pipe := range p.All {
		for _, exporter := range pipe.Exporters {
			known := slices.ContainsFunc(found, func(r *path) bool { return r.signal == pipe.Signal && r.exporter == exporter })
			if !known && !p.Connectors[exporter] {
				found = append(found, p.path(pipe.Signal, exporter))
			}
		}
	}
	slices.SortFunc(found, func(a, b *path) int {
		return cmp.Or(cmp.Compare(slices.Index(signals, a.signal), slices.Index(signals, b.signal)), cmp.Compare(a.exporter, b.exporter))
	})
	return found
}

// path is a route before it is counted.
type path struct {
	signal, exporter string
	steps            []step
}

// step is a pipeline on a path.
type step struct {
	Pipeline
	// ways is how often the exporter gets an item that leaves the pipeline: once per way through forward connectors.
	ways int64
	// sources are the receivers whose data enters the pipeline, also through forward connectors.
	sources []string
}

// path follows the pipelines that lead to an exporter.
func (p Pipelines) path(signal, exporter string) *path {
	found := &path{signal: signal, exporter: exporter}
	known := map[int]int64{}
	for i, pipe := range p.All {
		if pipe.Signal != signal {
			continue
		}
		if ways := p.ways(i, exporter, known); ways > 0 {
			found.steps = append(found.steps, step{Pipeline: pipe, ways: ways, sources: p.sources(i, map[int]bool{})})
		}
	}
	return found
}

// ways counts how often an item that leaves pipeline i reaches the exporter. The map has what is known by pipeline.
func (p Pipelines) ways(i int, exporter string, known map[int]int64) int64 {
	if n, ok := known[i]; ok {
		return n
	}
	known[i] = 0 // ends a loop, which the service refuses
	pipe, n := p.All[i], int64(0)
	if slices.Contains(pipe.Exporters, exporter) {
		n++
	}
	for next := range p.All {
		for _, id := range p.All[next].Receivers {
			if p.All[next].Signal == pipe.Signal && p.forwards(id) && slices.Contains(pipe.Exporters, id) {
				n += p.ways(next, exporter, known)
			}
		}
	}
	known[i] = n
	return n
}

// sources lists the receivers whose data enters pipeline i. The map has the pipelines that were visited.
func (p Pipelines) sources(i int, visited map[int]bool) []string {
	if visited[i] {
		return nil
	}
	visited[i] = true
	var found []string
	for _, id := range p.All[i].Receivers {
		if !p.forwards(id) {
			found = append(found, id)
			continue
		}
		for before := range p.All {
			if p.All[before].Signal == p.All[i].Signal && slices.Contains(p.All[before].Exporters, id) {
				found = append(found, p.sources(before, visited)...)
			}
		}
	}
	return found
}

// forwards reports whether a component is a connector that passes everything on unchanged.
func (p Pipelines) forwards(id string) bool { return p.Connectors[id] && typeOf(id) == "forward" }

// uses counts how many pipelines of a signal have a processor.
func (p Pipelines) uses(signal, processor string) int {
	n := 0
	for _, pipe := range p.All {
		if pipe.Signal == signal && slices.Contains(pipe.Processors, processor) {
			n++
		}
	}
	return n
}

// typeOf is the type of a component.
func typeOf(id string) string {
	name, _, _ := strings.Cut(id, "/")
	return name
}

// ofType counts how many pipelines have a processor of one of the types, over all signals.
func (p Pipelines) ofType(types ...string) int {
	n := 0
	for _, pipe := range p.All {
		for _, id := range pipe.Processors {
			if slices.Contains(types, typeOf(id)) {
				n++
			}
		}
	}
	return n
}
