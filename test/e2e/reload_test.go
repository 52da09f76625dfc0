package e2e

import (
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// reloadable is an overlay whose interval shows which version of the file is in use.
const reloadable = `
receivers: {metricsudp: {temporality: delta, aggregation_interval: %s}}
`

// pacedSender sends a line per millisecond and notes the time of each attempt and of each refusal.
type pacedSender struct {
	attempts, refusals []time.Time
	stop, stopped      chan struct{}
}

func startPacedSender(t *testing.T, address, line string) *pacedSender {
	t.Helper()
	conn, err := net.Dial("udp", address)
	require.NoError(t, err)
	s := &pacedSender{stop: make(chan struct{}), stopped: make(chan struct{})}
	go func() {
		defer close(s.stopped)
		defer conn.Close()
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-s.stop:
				return
			case <-tick.C:
			}
			now := time.Now()
			// A refusal belongs to the datagram before, and this datagram is not sent.
			if _, err := conn.Write([]byte(line)); err != nil {
				s.refusals = append(s.refusals, now)
			} else {
				s.attempts = append(s.attempts, now)
			}
		}
	}()
	return s
}

func (s *pacedSender) finish() {
	close(s.stop)
	<-s.stopped
}

// between returns the number of datagrams sent in a time range.
func (s *pacedSender) between(from, to time.Time) (n int) {
	for _, at := range s.attempts {
		if !at.Before(from) && !at.After(to) {
			n++
		}
	}
	return n
}

// started returns how often the gateway has become ready.
func (g *gateway) started() int { return strings.Count(g.output.String(), "Everything is ready") }

// TestReload: SIGHUP loads the changed file. While the UDP port is closed, senders get errors. That lasts less than
// maxReloadGap, and every line sent before and after it arrives.
func TestReload(t *testing.T) {
	const maxReloadGap = 5 * time.Second // 31 to 45 ms on an idle machine
	g := newGateway(t, "quickstart.yaml", fmt.Sprintf(reloadable, "200ms"))
	b := startBackend(t, g.backend)
	g.start()
	sender := startPacedSender(t, g.udp, "hits:1|c")
	eventually(t, "lines arrive", func() bool { return b.sum("hits") > 100 })

	overlay := g.configs[len(g.configs)-1]
	require.NoError(t, os.WriteFile(overlay, fmt.Appendf(nil, reloadable, "100ms"), 0o600))
	output, err := g.command("validate").CombinedOutput()
	require.NoError(t, err, "%s", output)
	before := b.sum("hits")
	signalled := time.Now()
	require.NoError(t, g.cmd.Process.Signal(syscall.SIGHUP))
	eventually(t, "the gateway has started again", func() bool {
		return g.started() == 2
	})
	eventually(t, "lines arrive again", func() bool { return b.sum("hits") > before+300 })
	sender.finish()
	g.stop() // flushes the open interval

	require.NotEmpty(t, sender.refusals, "the port was closed for longer than a millisecond")
	first, last := sender.refusals[0], sender.refusals[len(sender.refusals)-1]
	lost := float64(len(sender.attempts)) - b.sum("hits")
	t.Logf("the port was closed for %v, from %v after SIGHUP; %d of %d lines sent, %.0f lost",
		last.Sub(first), first.Sub(signalled), len(sender.attempts), len(sender.attempts)+len(sender.refusals), lost)
	assert.Less(t, last.Sub(first), maxReloadGap)
	assert.GreaterOrEqual(t, lost, 0.0)
	assert.LessOrEqual(t, lost, float64(sender.between(signalled, last)), "only what was sent while the port was closed")
}

// TestReloadInAnOutage: a backend that hangs makes the gap longer, by the time that the shutdown waits for it. The gap is
// bounded too.
func TestReloadInAnOutage(t *testing.T) {
	const maxReloadGap = 30 * time.Second
	g := newGateway(t, "quickstart.yaml", fmt.Sprintf(reloadable, "200ms"))
	b := startBackend(t, g.backend)
	b.setHang(true)
	g.start()
	sender := startPacedSender(t, g.udp, "hits:1|c")
	eventually(t, "the backend hangs", func() bool { return b.hanging() > 0 })
	require.NoError(t, g.cmd.Process.Signal(syscall.SIGHUP))
	eventually(t, "the gateway has started again", func() bool { return g.started() == 2 })
	sender.finish()
	require.NotEmpty(t, sender.refusals)
	gap := sender.refusals[len(sender.refusals)-1].Sub(sender.refusals[0])
	t.Logf("the port was closed for %v", gap)
	assert.Less(t, gap, maxReloadGap)
}

// TestReloadOfABrokenFile: a broken file ends the process after its data is delivered. validate finds the fault before the
// reload.
func TestReloadOfABrokenFile(t *testing.T) {
	g := newGateway(t, "quickstart.yaml", fmt.Sprintf(reloadable, "24h"))
	b := startBackend(t, g.backend)
	g.start()
	g.sendDatagram(t, "hits:7|c")
	overlay := g.configs[len(g.configs)-1]
	require.NoError(t, os.WriteFile(overlay, fmt.Appendf(nil, reloadable, "never"), 0o600))
	output, err := g.command("validate").CombinedOutput()
	require.Error(t, err)
	assert.Contains(t, string(output), "aggregation_interval")
	require.NoError(t, g.cmd.Process.Signal(syscall.SIGHUP))
	g.wait()
	assert.NotZero(t, g.cmd.ProcessState.ExitCode())
	assert.Contains(t, g.output.String(), "aggregation_interval")
	assert.InDelta(t, 7, b.sum("hits"), 0)
}
