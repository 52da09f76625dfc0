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
			if p.Connectors[exporter] {
				continue
			}
			i := slices.IndexFunc(found, func(r *path) bool { return r.signal == pipe.Signal && r.exporter == exporter })
			if i < 0 {
				i = len(found)
				found = append(found, &path{signal: pipe.Signal, exporter: exporter})
			}
			found[i].pipelines = append(found[i].pipelines, pipe)
		}
	}
	slices.SortFunc(found, func(a, b *path) int {
		return cmp.Or(cmp.Compare(a.signal, b.signal), cmp.Compare(a.exporter, b.exporter))
	})
	return found
}

// path is a route before it is counted.
type path struct {
	signal, exporter string
	pipelines        []Pipeline
}

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
