package cardinalitylimit

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-custom/otelcol-custom/internal/check"
	"github.com/otelcol-custom/otelcol-custom/internal/gatewaystate"
	"github.com/otelcol-custom/otelcol-custom/internal/harness"
)

// page is a gateway page without a server.
type page struct {
	component.StartFunc
	component.ShutdownFunc
	*gatewaystate.Sources
}

func (page) KeepsExamples() bool { return false }

type hostWithPage struct {
	component.Host
	page page
}

func (h hostWithPage) GetExtensions() map[component.ID]component.Component {
	return map[component.ID]component.Component{component.MustNewID("gatewaypage"): h.page}
}

// With a page each offender has the number of series that it would need without a label, within a tenth of the truth, and the
// remedy.
func TestWhatIfOnThePage(t *testing.T) {
	clock := harness.NewClock()
	shown := page{Sources: gatewaystate.NewSources(clock.Now)}
	r := startRig(t, clock, hostWithPage{componenttest.NewNopHost(), shown}, nil)
	for range 2 { // as an SDK repeats its streams
		b := newBatch("orders")
		points := b.sum("order.errors", delta, true)
		for i := range 4000 {
			put(points, 1, clock.Now(), clock.Now(), "route", fmt.Sprint(i%40), "error", fmt.Sprint("no stock for ", i))
		}
		r.send(b.md)
	}
	r.maintain()
	clock.Add(time.Second)
	offenders := shown.Snapshot().States[0].Limiter.Offenders
	require.Len(t, offenders, 1)
	best := offenders[0].WhatIf[0]
	require.Equal(t, "error", best.Label)
	require.InEpsilon(t, 40, best.Series, 0.1)
	require.InEpsilon(t, 4000, best.Wanted, 0.1)
	require.True(t, best.Partial)
	require.Len(t, offenders[0].WhatIf, 1, "without route nothing changes")

	// The remedy has this effect.
	fixed := newRig(t, func(c *Config) { require.NoError(t, remedied(t, best.Remedy).Unmarshal(c)) })
	b := newBatch("orders")
	points := b.sum("order.errors", delta, true)
	for i := range 4000 {
		put(points, 1, clock.Now(), clock.Now(), "route", fmt.Sprint(i%40), "error", fmt.Sprint("no stock for ", i))
	}
	fixed.send(b.md)
	fixed.sink.drain()
	require.Len(t, fixed.flushed(), 40)

	require.NoError(t, r.stop())
	require.Empty(t, shown.Snapshot().States)
}

// remedied returns the configuration of the processor that a remedy contains.
func remedied(t *testing.T, remedy string) *confmap.Conf {
	require.NotRegexp(t, `(^|[^$])(\$\$)*\$([^$]|$)`, remedy, "the Collector would replace it")
	retrieved, err := confmap.NewRetrievedFromYAML([]byte(strings.ReplaceAll(remedy, "$$", "$")))
	require.NoError(t, err)
	all, err := retrieved.AsConf()
	require.NoError(t, err)
	conf, err := all.Sub("processors::cardinalitylimit")
	require.NoError(t, err)
	return conf
}

// A name of a sender cannot end the quoting of a remedy.
func TestRemedyOfHostileNames(t *testing.T) {
	for _, name := range []string{"a.b", `a"]}`, "a\n- b", "it's", "\x00\u202e", "resource.x: [y", "${env:HOME}", "$$"} {
		cfg := config(nil)
		require.NoError(t, remedied(t, remedy(name, name)).Unmarshal(cfg), name)
		require.Len(t, cfg.Labels, 1)
		require.Empty(t, cfg.Limits)
		var e check.Errors
		rule := cfg.Labels[0].compile(&e)
		require.NoError(t, e.Err())
		require.Regexp(t, rule.Metrics[0], name)
		require.Len(t, cfg.Labels[0].Drop, 1)
	}
	require.Empty(t, remedy(fmt.Sprintf("%0128d", 1), "a"), "the rest of the name is not known")
}
