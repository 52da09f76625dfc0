package e2e

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestEncryptedLog: in an outage, nobody can read the items from the disk, or the key from print-config. A start without the
// key, or with another key, reports that and loses nothing.
func TestEncryptedLog(t *testing.T) {
	const encrypted = `
exporters:
  fallbacklog:
    log: {format: otlp_proto, compression: zstd}
    encryption: {key: "${env:LOG_KEY}"}
`
	g := newGateway(t, "quickstart.yaml", impatient, encrypted)
	g.env["LOG_KEY"] = newKey()
	output, err := g.command("print-config").CombinedOutput()
	require.NoError(t, err, "%s", output)
	require.Contains(t, string(output), "encryption")
	require.NotContains(t, string(output), g.env["LOG_KEY"])

	g.start()
	s := newSender(t, g.grpc)
	s.sendAll(t, 300)
	g.stop()
	for _, word := range []string{"sender.gauge", "a call", "an event", "point-"} {
		assert.Empty(t, filesWith(t, g.log, word), "%q is on the disk", word)
	}
	records := 0
	for range segmentsOf(t, g.log, "*.otlp") {
		records++
	}
	require.Positive(t, records)

	key := g.env["LOG_KEY"]
	for what, other := range map[string]string{"another key": newKey(), "a short key": "c2hvcnQ="} {
		g.env["LOG_KEY"] = other
		said := g.fails(t)
		assert.Contains(t, said, "encryption::key", what)
		assert.NotContains(t, said, other, what)
	}
	keyless := newGateway(t, "quickstart.yaml", impatient)
	keyless.env["FALLBACKLOG_DIRECTORY"] = g.log
	assert.Contains(t, keyless.fails(t), "encryption::key")

	// The command lists without the key, and shows with it.
	command := filepath.Join(filepath.Dir(binary), "fallbacklog")
	listed, err := exec.Command(command, "ls", g.log).CombinedOutput()
	require.NoError(t, err, "%s", listed)
	cat := exec.Command(command, "cat", g.log)
	cat.Env = append(os.Environ(), "FALLBACKLOG_KEY="+key)
	shown, err := cat.Output()
	require.NoError(t, err)
	require.Equal(t, 300, strings.Count(string(shown), `"fallbacklog"`))

	g.env["LOG_KEY"] = key
	b := startBackend(t, g.backend)
	g.start()
	eventually(t, "every item arrives", func() bool { all, _ := b.has(s.acknowledged()); return all })
	g.stop()
}

func newKey() string {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	return base64.StdEncoding.EncodeToString(key)
}

// segmentsOf returns the segments of all signals that match.
func segmentsOf(t *testing.T, log, pattern string) []string {
	paths, err := filepath.Glob(filepath.Join(log, "*", "*", pattern))
	require.NoError(t, err)
	return paths
}

// filesWith returns the files below a directory that contain a text.
func filesWith(t *testing.T, directory, text string) (found []string) {
	read := 0
	require.NoError(t, filepath.WalkDir(directory, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		read++
		if bytes.Contains(content, []byte(text)) {
			found = append(found, path)
		}
		return err
	}))
	require.Positive(t, read)
	return found
}
