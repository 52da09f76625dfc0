package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	ownModule = "github.com/otelcol-custom/otelcol-custom/"
	// watching begins the names of the functions through which fallbacklog watches the calls of its exporter's client.
	watching = ownModule + "exporter/fallbacklog/internal/answer."
)

// cpuShare has the CPU time of each component of this distribution in a profile, as a share of one core.
type cpuShare struct {
	components float64
	byPackage  map[string]float64 // by folder of the component
}

func (c cpuShare) String() string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(c.byPackage)) {
		parts = append(parts, fmt.Sprintf("%s %.2f %%", name, 100*c.byPackage[name]))
	}
	return strings.Join(parts, ", ")
}

// profile profiles the gateway through its pprof extension.
func (g *gateway) profile(t *testing.T, d time.Duration) cpuShare {
	t.Helper()
	response, err := http.Get(fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%.0f", g.env["PPROF_ENDPOINT"], d.Seconds()))
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, http.StatusOK, response.StatusCode)
	p, err := profile.Parse(response.Body)
	require.NoError(t, err)
	return shareOf(p, d)
}

// shareOf attributes each sample to the innermost component on its stack. The functions that a component calls count for it,
// including the runtime, except for those of another component. The calls that fallbacklog watches count for the exporter in it.
func shareOf(p *profile.Profile, d time.Duration) cpuShare {
	out := cpuShare{byPackage: map[string]float64{}}
	for _, sample := range p.Sample {
		name := innermostComponent(sample)
		own, found := strings.CutPrefix(name, ownModule)
		if !found {
			continue
		}
		parts := strings.SplitN(own, "/", 3)
		share := float64(sample.Value[1]) / float64(d) // nanoseconds of CPU
		out.byPackage[parts[0]+"/"+strings.SplitN(parts[1], ".", 2)[0]] += share
		out.components += share
	}
	return out
}

// innermostComponent returns the function of a receiver, processor or exporter that is nearest to the leaf and does not only hand on a
// call.
func innermostComponent(s *profile.Sample) string {
	var name, callee string
	for _, location := range s.Location { // the leaf is first
		for _, line := range location.Line {
			name, callee = line.Function.Name, name
			if strings.HasPrefix(name, ownModule+"internal/") {
				continue // counts for the component that calls it
			}
			if strings.HasPrefix(name, watching) && (strings.HasPrefix(callee, "google.golang.org/grpc.") || strings.HasPrefix(callee, "net/http.")) {
				continue // counts for the exporter in fallbacklog, whose client makes the call
			}
			for _, kind := range []string{"/receiver/", "/processor/", "/exporter/"} {
				if strings.Contains(name, kind) {
					return name
				}
			}
		}
	}
	return ""
}

// A sample counts for the component nearest to its leaf, including the libraries and the runtime that it calls.
func TestProfileAttribution(t *testing.T) {
	stack := func(names ...string) *profile.Sample {
		s := &profile.Sample{Value: []int64{1, int64(10 * time.Millisecond)}}
		for _, name := range names {
			s.Location = append(s.Location, &profile.Location{Line: []profile.Line{{Function: &profile.Function{Name: name}}}})
		}
		return s
	}
	const (
		udp   = ownModule + "receiver/metricsudp/internal/flush.(*Flusher).Run"
		limit = ownModule + "processor/cardinalitylimit.(*limiter).ConsumeMetrics"
		stock = "go.opentelemetry.io/collector/exporter/otlpexporter.(*baseExporter).pushMetrics"
	)
	got := shareOf(&profile.Profile{Sample: []*profile.Sample{
		stack("runtime.mallocgc", "go.opentelemetry.io/collector/pdata/pmetric.NewMetrics", udp),
		stack(ownModule+"internal/identity.Hash", limit, udp),
		stack("google.golang.org/grpc.Invoke", stock, ownModule+"exporter/fallbacklog.(*lane).push", limit),
		stack("google.golang.org/grpc.invoke", watching+"Intercept", stock, ownModule+"exporter/fallbacklog.(*lane).push"),
		stack("net/http.(*Transport).RoundTrip", watching+"RoundTripper.RoundTrip", stock, ownModule+"exporter/fallbacklog.(*lane).push"),
		stack("runtime.mallocgc", watching+"Intercept", stock, ownModule+"exporter/fallbacklog.(*lane).push"),
		stack("runtime.findRunnable", "runtime.mcall"),
	}}, time.Second)
	assert.InDelta(t, 0.03, got.components, 1e-9)
	assert.InDelta(t, 0.01, got.byPackage["receiver/metricsudp"], 1e-9)
	assert.InDelta(t, 0.01, got.byPackage["processor/cardinalitylimit"], 1e-9)
	assert.InDelta(t, 0.01, got.byPackage["exporter/fallbacklog"], 1e-9)
}
