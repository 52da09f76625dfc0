package main

import (
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-custom/otelcol-custom/internal/otlptest"
)

func TestCommandsNeedTheKey(t *testing.T) {
	const key = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	dir := t.TempDir()
	settings := map[string]any{"log": map[string]any{"format": "otlp_proto", "compression": "zstd"}, "encryption": map[string]any{"key": key}}
	g := startWith(t, dir, settings, refuse)
	g.sendLogs("dead", 2)
	g.stop()
	g = startWith(t, dir, settings, nil)
	g.sendLogs("log", 5)
	g.stop()
	file := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(file, []byte(key+"\n"), 0o600))

	assert.Contains(t, done(t, "ls", dir), "5 (5 encrypted)")
	assert.Contains(t, done(t, "verify", dir), "logs: 5 records, 0 items")
	assert.NotContains(t, done(t, "ls", "-key-file", file, dir), "encrypted")
	assert.Contains(t, done(t, "verify", "-key-file", file, dir), "logs: 5 records, 10 items")
	s := newServer(t)
	for _, args := range [][]string{{"cat"}, {"replay", "-endpoint", s.grpc}} {
		r := runTool(t, append(args, dir)...)
		assert.Equal(t, exitFailed, r.code)
		assert.Contains(t, r.stderr, "the record needs the key with the id ")
		assert.Contains(t, r.stderr, "there is none")
	}
	assert.Empty(t, s.names())
	assert.Equal(t, fiveLogs, catNames(t, "-key-file", file, dir))
	t.Setenv(keyVariable, key)
	assert.Equal(t, fiveLogs, catNames(t, dir))
	t.Setenv(keyVariable, strings.Repeat("0", 64))
	assert.Contains(t, runTool(t, "cat", dir).stderr, "the key there is has the id ")
	t.Setenv(keyVariable, "a-secret-that-is-no-key")
	r := runTool(t, "cat", dir)
	assert.Equal(t, exitUsage, r.code)
	assert.Contains(t, r.stderr, "key: must be 32 bytes in base64 or hex")
	assert.NotContains(t, r.stderr, "a-secret")
	t.Setenv(keyVariable, "")
	require.NoError(t, os.WriteFile(file+"2", nil, 0o600))
	assert.Equal(t, exitUsage, runTool(t, "cat", "-key-file", file+"2", dir).code)

	// Without the key encrypted records are moved unchanged.
	assert.Contains(t, done(t, "requeue", dir), "2 records, 0 items moved to the log; 2 records are encrypted")
	assert.Equal(t, append(append([]string(nil), fiveLogs...), "dead-0/0", "dead-0/1", "dead-1/0", "dead-1/1"), catNames(t, "-key-file", file, dir))
	first := segments(t, dir, "logs")[0]
	data, err := os.ReadFile(first)
	require.NoError(t, err)
	data[len(data)/10*5] ^= 1
	require.NoError(t, os.WriteFile(first, data, 0o600))
	assert.Equal(t, exitDamaged, runTool(t, "verify", dir).code)
	r = runTool(t, "replay", "-signal", "logs", "-key-file", file, "-endpoint", s.grpc, dir)
	assert.Equal(t, exitDamaged, r.code, "it skips the damage and reports it")
	assert.Contains(t, r.stdout, "6 records, 12 items sent, 2")
	assert.Contains(t, r.stdout, "of damage skipped")
	assert.Len(t, s.names(), 2*6)

	var delivered []string
	g = startWith(t, dir, settings, func(ld plog.Logs) error { delivered = append(delivered, otlptest.LogBodies(ld)...); return nil })
	g.stop()
	assert.Empty(t, delivered)
}

// An encrypted record that was changed together with its checksums is damage for a reader with the key. It is skipped, and
// the records after it are read.
func TestForgedRecordIsDamage(t *testing.T) {
	const key = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	dir := t.TempDir()
	settings := map[string]any{"log": map[string]any{"format": "otlp_proto"}, "encryption": map[string]any{"key": key}}
	g := startWith(t, dir, settings, refuse)
	g.sendLogs("dead", 2)
	g.stop()
	g = startWith(t, dir, settings, nil)
	g.sendLogs("log", 2)
	g.stop()
	for _, log := range [][]string{{"logs"}, {"logs", "dead-letter"}} {
		file := segments(t, dir, log...)[0]
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		sum := func(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }
		length := func(at int) int { return int(binary.LittleEndian.Uint32(data[at:])) }
		first := data[:36+12+length(8)+length(12)+16] // header, nonce, meta, payload and tag
		first[len(first)-1] ^= 1
		binary.LittleEndian.PutUint32(first[28:], sum(first[36:]))
		binary.LittleEndian.PutUint32(first[32:], sum(first[:32]))
		require.NoError(t, os.WriteFile(file, data, 0o600))
	}
	assert.Contains(t, done(t, "verify", dir), "logs: 2 records", "the checksums are right")
	t.Setenv(keyVariable, key)
	r := runTool(t, "verify", dir)
	assert.Equal(t, exitDamaged, r.code)
	assert.Contains(t, r.stderr, "damage in 2 places")
	r = runTool(t, "cat", dir)
	assert.Equal(t, exitDamaged, r.code)
	assert.NotContains(t, r.stdout, "log-0/0")
	assert.Contains(t, r.stdout, "log-1/0")
	assert.Contains(t, done(t, "ls", dir), "1 (")
	assert.Contains(t, done(t, "requeue", dir), "2 records, 2 items moved to the log")
	assert.Contains(t, runTool(t, "cat", dir).stdout, "dead-1/0")
}
