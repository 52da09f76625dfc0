package e2e

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/internal/load"
)

// TestFigures prints the size of the binary, the time to start, the memory and the cost of a line. It asserts only that nothing
// is lost, because times depend on the machine.
func TestFigures(t *testing.T) {
	g := newGateway(t, "quickstart.yaml")
	startBackend(t, g.backend)
	g.start()
	info, err := os.Stat(binary)
	require.NoError(t, err)
	idle := g.usage()
	t.Logf("binary %.1f MB, start to ready %v, idle RSS %.1f MiB",
		float64(info.Size())/1e6, g.readyAfter.Round(time.Millisecond), float64(idle.rss)/(1<<20))

	profile := load.DefaultProfile()
	profile.Endpoint = g.udp
	profile.Rate, profile.Duration = 100_000, 5*time.Second
	before := g.usage()
	ledger, err := load.Run(withTimeout(t), profile, nil)
	require.NoError(t, err)
	received := func() float64 { return g.own("otelcol_receiver_metricsudp_datagrams_total") }
	eventually(t, "every datagram is accounted for", func() bool {
		return received()+g.own("otelcol_receiver_metricsudp_kernel_drops_total") == float64(ledger.Datagrams)
	})
	after := g.usage()
	assert.Zero(t, g.own("otelcol_receiver_metricsudp_kernel_drops_total"))
	t.Logf("metricsload %.0f lines/s for %.1f s: %.3f us of CPU a line (whole gateway, quickstart pipeline), RSS %.1f MiB",
		ledger.LinesPerSecond, ledger.ElapsedSeconds, (after.cpu-before.cpu).Seconds()*1e6/float64(ledger.Lines), float64(after.rss)/(1<<20))
	g.stop()
}
