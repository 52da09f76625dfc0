package report

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/internal/gatewaystate"
)

func TestSharedLimits(t *testing.T) {
	w := newWorld(t)
	shared := func(state string) gatewaystate.State {
		s := limiterState()
		s.Limiter.Cluster = &gatewaystate.Cluster{
			State: state, Gateways: 3, Admitted: 400, Members: 90, Refused: 50, Alone: 7, LostPlaces: 2, Failures: 1, Losses: 4,
			Limits: []gatewaystate.ClusterLimit{{Name: "metric", Series: 1500}, {Name: "gone", Series: 1}},
		}
		return s
	}
	w.observe(shared("joined"))
	w.observe(shared("degraded"))
	r := w.observe(shared("joined"))

	var text strings.Builder
	require.NoError(t, r.Text(&text))
	require.Contains(t, text.String(), `
Shared limits
  cardinalitylimit: joined, 3 gateways; of series new here 400 admitted, 90 known to others, 50 refused, 7 admitted while alone; 2 lost their place; 1 failed exchanges; the store lost writes 4 times
  limit metric: 1,500 places in use in all gateways, 540 in this one
  limit gone: 1 places in use in all gateways, 0 in this one
`)
	require.Contains(t, text.String(), "cardinalitylimit: its cluster is degraded, was joined")
	require.Contains(t, text.String(), "cardinalitylimit: its cluster is joined, was degraded")

	text.Reset()
	require.NoError(t, w.observe(limiterState()).Text(&text))
	require.NotContains(t, text.String(), "Shared limits")
}
