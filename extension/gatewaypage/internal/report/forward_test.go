package report

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/internal/gatewaystate"
)

// pipe is a pipeline of metrics.
func pipe(receivers, processors, exporters []string) Pipeline {
	return Pipeline{Signal: "metrics", Receivers: receivers, Processors: processors, Exporters: exporters}
}

type names = []string

// A route leads through forward connectors to the receivers in front of them.
func TestRoutesThroughForwardConnectors(t *testing.T) {
	type want struct{ in, removed int64 }
	for name, c := range map[string]struct {
		pipelines  []Pipeline
		connectors names
		want       map[string]want // by exporter
	}{
		// otlp accepts 100 and udp 1000; filter/N removes N.
		"the quickstart's fork": {
			pipelines: []Pipeline{
				pipe(names{"udp", "otlp"}, names{"memory_limiter", "filter/7"}, names{"forward/page", "out"}),
				pipe(names{"forward/page"}, names{"delta_to_cumulative", "filter/5"}, names{"page"}),
			},
			connectors: names{"forward/page"},
			want:       map[string]want{"out": {1100, 7}, "page": {1100, 7 + 2 + 5}},
		},
		"several pipelines into one connector": {
			pipelines: []Pipeline{
				pipe(names{"udp"}, names{"filter/7"}, names{"forward"}),
				pipe(names{"otlp"}, names{"filter/5"}, names{"forward"}),
				pipe(names{"forward"}, names{"filter/3"}, names{"out"}),
			},
			connectors: names{"forward"},
			want:       map[string]want{"out": {1100, 7 + 5 + 3}},
		},
		"a receiver of its own beside the connector": {
			pipelines: []Pipeline{
				pipe(names{"udp"}, names{"filter/7"}, names{"forward"}),
				pipe(names{"otlp", "forward"}, names{"filter/5"}, names{"out"}),
			},
			connectors: names{"forward"},
			want:       map[string]want{"out": {1100, 7 + 5}},
		},
		"a chain": {
			pipelines: []Pipeline{
				pipe(names{"udp"}, names{"filter/7"}, names{"forward/a", "first"}),
				pipe(names{"forward/a"}, names{"filter/5"}, names{"forward/b", "second"}),
				pipe(names{"forward/b"}, names{"filter/3"}, names{"third"}),
			},
			connectors: names{"forward/a", "forward/b"},
			want:       map[string]want{"first": {1000, 7}, "second": {1000, 7 + 5}, "third": {1000, 7 + 5 + 3}},
		},
		"a fork into two pipelines with several exporters": {
			pipelines: []Pipeline{
				pipe(names{"udp"}, names{"filter/7"}, names{"forward"}),
				pipe(names{"forward"}, names{"filter/5"}, names{"first", "second"}),
				pipe(names{"forward"}, names{"filter/3"}, names{"third", "fourth"}),
			},
			connectors: names{"forward"},
			want:       map[string]want{"first": {1000, 12}, "second": {1000, 12}, "third": {1000, 10}, "fourth": {1000, 10}},
		},
		// The exporter gets each point twice, less what filter/5 removed on one of the ways.
		"two ways to one exporter": {
			pipelines: []Pipeline{
				pipe(names{"udp"}, names{"filter/7"}, names{"forward", "out"}),
				pipe(names{"forward"}, names{"filter/5"}, names{"out"}),
			},
			connectors: names{"forward"},
			want:       map[string]want{"out": {2000, 2*7 + 5}},
		},
		"two ways into one pipeline": {
			pipelines: []Pipeline{
				pipe(names{"udp"}, names{"filter/7"}, names{"forward/a", "forward/b"}),
				pipe(names{"forward/a", "forward/b"}, names{"filter/5"}, names{"out"}),
			},
			connectors: names{"forward/a", "forward/b"},
			want:       map[string]want{"out": {2000, 2*7 + 5}},
		},
		"pipelines of another signal": {
			pipelines: []Pipeline{
				pipe(names{"udp"}, names{"filter/7"}, names{"forward"}),
				pipe(names{"forward"}, nil, names{"out"}),
				{Signal: "traces", Receivers: names{"otlp"}, Exporters: names{"forward"}},
			},
			connectors: names{"forward"},
			want:       map[string]want{"out": {1000, 7}},
		},
		"a connector of another type is no obstacle elsewhere": {
			pipelines: []Pipeline{
				pipe(names{"udp"}, nil, names{"forward", "count"}),
				pipe(names{"forward"}, nil, names{"out"}),
			},
			connectors: names{"forward", "count"},
			want:       map[string]want{"out": {1000, 0}},
		},
		// The service refuses a loop. The page must not hang before it does.
		"a loop": {
			pipelines: []Pipeline{
				pipe(names{"udp", "forward/b"}, names{"filter/7"}, names{"forward/a", "out"}),
				pipe(names{"forward/a"}, nil, names{"forward/b"}),
			},
			connectors: names{"forward/a", "forward/b"},
			want:       map[string]want{"out": {1000, 7}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			backwards := slices.Clone(c.pipelines)
			slices.Reverse(backwards)
			for _, all := range [][]Pipeline{c.pipelines, backwards} { // the service's pipelines have no order
				w := newWorld(t)
				p := Pipelines{All: all, Connectors: map[string]bool{}}
				for _, id := range c.connectors {
					p.Connectors[id] = true
				}
				w.observer.SetPipelines(p)
				w.accepted("udp", 1000)
				w.accepted("otlp", 100)
				for id, removed := range map[string]float64{"filter/7": 7, "filter/5": 5, "filter/3": 3} {
					w.processed(id, 500, 500-removed)
				}
				w.count("otelcol_deltatocumulative_datapoints", "error", "", "", 40)
				w.count("otelcol_deltatocumulative_datapoints", "error", "limit", "", 2)
				for exporter, n := range c.want {
					w.count("otelcol_exporter_sent_metric_points", "exporter", exporter, "", float64(n.in-n.removed))
				}
				r := w.observe()
				found := map[string]want{}
				for _, route := range r.Routes {
					if route.Signal != "metrics" {
						continue
					}
					require.Empty(t, route.Unknown)
					require.EqualValues(t, 0, *route.Residual)
					found[route.Exporter] = want{route.In.Items, route.Removed.Items}
				}
				require.Equal(t, c.want, found)
			}
		})
	}
}

// cardinalitylimit is in front of the fork, and the loss behind it.
func TestALossBehindAForkIsInItsRouteAlone(t *testing.T) {
	w := newWorld(t)
	w.observer.SetPipelines(Pipelines{
		All: []Pipeline{
			pipe(names{"otlp"}, names{"cardinalitylimit"}, names{"forward", "fallbacklog"}),
			pipe(names{"forward"}, nil, names{"page"}),
		},
		Connectors: map[string]bool{"forward": true},
	})
	w.accepted("otlp", 900)
	w.processed("cardinalitylimit", 900, 500)
	w.count("otelcol_exporter_sent_metric_points", "exporter", "page", "", 470)
	log := logState(gatewaystate.LogItems{Received: 510, DeliveredDirect: 510}, 0)
	r := w.observeFor(20*time.Second, limiterState(), log) // which emits 10 of the 400
	require.Equal(t, names{"fallbacklog", "page"}, names{r.Routes[0].Exporter, r.Routes[1].Exporter})
	require.EqualValues(t, 390, r.Routes[1].Removed.Items)
	require.EqualValues(t, 0, *r.Routes[0].Residual)
	require.EqualValues(t, 40, *r.Routes[1].Residual)
	require.EqualValues(t, 40, *r.Residual)
}

// A chain of forks has more ways than can be walked one by one.
func TestManyForks(t *testing.T) {
	const forks = 40
	p := Pipelines{Connectors: map[string]bool{}}
	from := names{"udp"}
	for i := range forks {
		to := names{"forward/a" + string(rune('A'+i)), "forward/b" + string(rune('A'+i))}
		p.Connectors[to[0]], p.Connectors[to[1]] = true, true
		p.All = append(p.All, pipe(from, nil, to))
		from = to
	}
	p.All = append(p.All, pipe(from, nil, names{"out"}))
	w := newWorld(t)
	w.observer.SetPipelines(p)
	w.accepted("udp", 1)
	r := w.observe()
	require.Len(t, r.Routes, 1)
	require.Equal(t, int64(1)<<forks, r.Routes[0].In.Items)
}

// What delta_to_cumulative drops is in the ledger by reason.
func TestDroppedDeltas(t *testing.T) {
	w := newWorld(t)
	for reason, n := range map[string]float64{"": 40, "limit": 2, "delta.ErrOlderStart": 3} {
		w.count("otelcol_deltatocumulative_datapoints", "error", reason, "", n)
	}
	found := map[string]Line{}
	for _, l := range w.observe().Lines {
		found[l.What] = l
	}
	require.Len(t, found, 2)
	require.EqualValues(t, 2, found["delta points dropped: limit"].Items)
	require.Equal(t, Purpose, found["delta points dropped: limit"].Kind)
	require.EqualValues(t, 3, found["delta points dropped: delta.ErrOlderStart"].Items)
	require.Equal(t, Invalid, found["delta points dropped: delta.ErrOlderStart"].Kind)
}
