//go:build linux

package bench

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/internal/load"
)

// result is the result of one round of one contender.
type result struct {
	cpu     float64 // us per received line
	lost    float64 // share of what was sent
	peakRSS float64 // MiB
	offered float64 // lines per second that the sender reached
}

// round runs a contender and a sender, and passes the sender's ledger to the contender. With a warm-up it does so twice: a first
// sender sends each series once, and only what happens after the output of that is measured.
func round(tb testing.TB, c contender, profile load.Profile, j job) result {
	tb.Helper()
	if profile.Endpoint = filepath.Join(tb.TempDir(), "socket"); profile.Network == "udp" {
		profile.Endpoint = freeUDPAddress(tb)
	}
	phases := []load.Profile{profile}
	if j.WarmUp {
		first := profile
		first.Lines, first.Duration = uint64(first.Series), 0
		phases = []load.Profile{first, profile}
	}
	j.Contender, j.Network, j.Endpoint, j.Series, j.Buffer = c.name, profile.Network, profile.Endpoint, profile.Series, defaultBuffer()
	if c.large {
		j.Buffer = largeBuffer()
	}

	receiver := exec.CommandContext(tb.Context(), os.Args[0])
	receiver.Env = append(os.Environ(), contenderEnv+"="+jsonOf(tb, j))
	receiver.Stderr = os.Stderr
	stdin, err := receiver.StdinPipe()
	require.NoError(tb, err)
	stdout, err := receiver.StdoutPipe()
	require.NoError(tb, err)
	require.NoError(tb, receiver.Start())
	defer func() {
		_ = receiver.Process.Kill() // it has already ended, unless this round has failed
		_ = receiver.Wait()
	}()
	said := bufio.NewReader(stdout)
	var ledger load.Ledger // of the last phase
	for _, phase := range phases {
		ready, err := said.ReadString('\n')
		require.NoError(tb, err, c.name)
		require.Equal(tb, "ready\n", ready, c.name)
		ledger = runSender(tb, phase)
		_, err = stdin.Write(append([]byte(jsonOf(tb, ledger)), '\n'))
		require.NoError(tb, err)
	}
	text, err := io.ReadAll(said)
	require.NoError(tb, err)
	var out outcome
	require.NoError(tb, json.Unmarshal(text, &out), c.name)
	return result{
		cpu:     out.CPU.Seconds() * 1e6 / (float64(ledger.Lines) * (1 - out.Lost)),
		lost:    out.Lost,
		peakRSS: float64(out.PeakRSS) / 1024,
		offered: ledger.LinesPerSecond,
	}
}

// runSender sends from a process of its own and returns the ledger.
func runSender(tb testing.TB, profile load.Profile) (ledger load.Ledger) {
	tb.Helper()
	sender := exec.CommandContext(tb.Context(), os.Args[0])
	sender.Env = append(os.Environ(), senderEnv+"="+jsonOf(tb, profile), "GOMAXPROCS=1")
	sender.Stderr = os.Stderr
	text, err := sender.Output()
	require.NoError(tb, err)
	require.NoError(tb, json.Unmarshal(text, &ledger))
	return ledger
}

// alternate runs rounds of every contender in turn. Each time it begins with another contender, so that none of them always
// runs in the same state of the machine.
func alternate(b *testing.B, contenders []contender, profile load.Profile, j job) [][]result {
	results := make([][]result, len(contenders))
	first := 0
	for b.Loop() {
		for i := range contenders {
			at := (first + i) % len(contenders)
			results[at] = append(results[at], round(b, contenders[at], profile, j))
		}
		first++
	}
	b.ReportMetric(0, "ns/op") // the profile determines the duration of a round
	return results
}

func jsonOf(tb testing.TB, v any) string {
	text, err := json.Marshal(v)
	require.NoError(tb, err)
	return string(text)
}

func freeUDPAddress(tb testing.TB) string {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(tb, err)
	defer conn.Close()
	return conn.LocalAddr().String()
}

// TestEveryContenderCountsAll sends fewer datagrams than fit the smallest receive buffer. So no contender loses any, however
// slow it is, and each reports no loss.
func TestEveryContenderCountsAll(t *testing.T) {
	for _, c := range allContenders {
		t.Run(c.name, func(t *testing.T) {
			profile := load.DefaultProfile()
			profile.Lines, profile.Duration, profile.Types = 1000, 0, []string{"c", "g", "ms", "d"}
			r := round(t, c, profile, job{Interval: 200 * time.Millisecond, Grace: time.Minute})
			require.Zero(t, r.lost)
			require.Positive(t, r.cpu)
			require.Positive(t, r.peakRSS)
		})
	}
}
