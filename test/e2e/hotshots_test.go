package e2e

import (
	"bytes"
	"encoding/json"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sendHotShots uses hot-shots with its defaults: one line per datagram.
func sendHotShots(t *testing.T, prefix, address string) ledger {
	return runHotShots(t, prefix, address, "single")
}

func checkHotShots(t *testing.T, w *wire) {
	checkHotShotsBoth(t, w)
	lines := w.rejected
	for _, n := range w.lines {
		lines += n
	}
	assert.Equal(t, w.datagrams, lines, "a line a datagram")
}

// sendHotShotsBuffered packs lines, with counters, gauges and sets aggregated in the client.
func sendHotShotsBuffered(t *testing.T, prefix, address string) ledger {
	return runHotShots(t, prefix, address, "buffered")
}

func checkHotShotsBuffered(t *testing.T, w *wire) {
	checkHotShotsBoth(t, w)
	assert.Greater(t, w.longest, 1300, "packed; its telemetry makes a datagram a little longer than maxBufferSize")
	assert.Less(t, w.lines["counter"], 300, "counters are aggregated in the client")
	assert.Positive(t, w.fields["c"], "the container")
	assert.Positive(t, w.fields["card"], "the cardinality")
}

func checkHotShotsBoth(t *testing.T, w *wire) {
	assert.Equal(t, 1, w.rejected, "the decrement")
	assert.Equal(t, 1, w.lines["event"])
	assert.Equal(t, 1, w.lines["service_check"])
	assert.Positive(t, w.fields["@"], "sampled lines")
	assert.Positive(t, w.fields["T"], "timestamps")
}

// runHotShots runs testdata/hotshots/send.js and reads the ledger that it prints.
func runHotShots(t *testing.T, prefix, address, mode string) ledger {
	t.Helper()
	folder := filepath.Join("testdata", "hotshots")
	node, err := exec.LookPath("node")
	require.NoError(t, err, "this test runs Node.js, version 18 or later")
	require.DirExists(t, filepath.Join(folder, "node_modules", "hot-shots"), "`make deps` installs it")
	host, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	cmd := exec.CommandContext(withTimeout(t), node, "send.js", host, port, prefix, mode)
	cmd.Dir = folder
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	output, err := cmd.Output()
	require.NoError(t, err, complaints.String())
	require.Empty(t, complaints.String())

	calls := ledger{}
	for text := range strings.Lines(string(output)) {
		var entry struct {
			Type, Name, Member string
			Tags               []string
			Value              float64
			Seconds            int64
		}
		require.NoError(t, json.Unmarshal([]byte(text), &entry), text)
		key := seriesKey(entry.Name, entry.Tags...)
		switch {
		case entry.Type == "s":
			calls.addMember(key, entry.Member)
		case entry.Seconds != 0:
			calls.addTimed(entry.Type, key, entry.Seconds, entry.Value)
		default:
			calls.add(entry.Type, key, 1, entry.Value)
		}
	}
	return calls
}
