package e2e

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestSentIsReceivedPlusDroppedInTheGateway: with receive buffers that are far too small, each datagram is either received or
// counted as dropped by the kernel, for any number of readers. The page has what was received.
func TestSentIsReceivedPlusDroppedInTheGateway(t *testing.T) {
	for _, readers := range []int{1, 2, 4} {
		t.Run(fmt.Sprintf("%d readers", readers), func(t *testing.T) {
			const linesEach = 10
			ones := noise{"ones", func(_ *rand.Rand, b []byte) []byte {
				return append(b, strings.Repeat("loss:1|c|#a:b\n", linesEach)...)
			}}
			g := newGateway(t, "quickstart.yaml", fmt.Sprintf(`
receivers: {metricsudp: {aggregation_interval: 100ms, readers: %d, socket_buffer_size: 16384}}
`, readers))
			g.start()
			startBackend(t, g.backend)
			f := newFlooder(t, g.udp)

			burst := func(datagrams int) {
				for range datagrams / 64 {
					f.send(ones, 64)
				}
			}
			accounted := func() (drops float64) {
				t.Helper()
				eventually(t, "sent is received plus dropped", func() bool {
					drops = g.count("kernel_drops")
					return g.count("datagrams")+drops == float64(f.datagrams)
				})
				lines := linesEach * (float64(f.datagrams) - drops)
				assert.InDelta(t, lines, g.count("lines"), 0)
				assert.Zero(t, g.count("rejected_lines"))
				eventually(t, "the page has what was received", func() bool {
					page := scrape(t, g.page, "loss_total")
					return len(page) == 1 && page[0].value == lines
				})
				return drops
			}
			// At full speed. The number of drops depends on the machine.
			burst(6400)
			moving := accounted()
			// To a suspended gateway: the kernel drops everything beyond the receive buffers.
			require.NoError(t, g.cmd.Process.Signal(syscall.SIGSTOP))
			burst(6400)
			require.NoError(t, g.cmd.Process.Signal(syscall.SIGCONT))
			still := accounted() - moving
			assert.Positive(t, still)
			g.stop()
			t.Logf("%d datagrams sent: %.0f dropped at full speed, %.0f while the gateway stood still", f.datagrams, moving, still)
		})
	}
}
