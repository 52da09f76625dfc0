package fallbacklog

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/pdata/plog"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/record"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
)

// keyA and keyB are test keys in the two forms.
var (
	keyA = base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{0xa5}, 32))
	keyB = hex.EncodeToString(bytes.Repeat([]byte{0xb6}, 32))
)

func encrypted(key string, settings map[string]any) map[string]any {
	settings["format"] = "otlp_proto"
	return map[string]any{"log": settings, "encryption": map[string]any{"key": key}}
}

func validate(settings map[string]any) error {
	cfg := createDefaultConfig().(*Config)
	if err := confmap.NewFromStringMap(settings).Unmarshal(cfg); err != nil {
		return err
	}
	return confmap.Validate(cfg)
}

func TestValidateEncryption(t *testing.T) {
	require.NoError(t, validate(encrypted(keyA, map[string]any{})))
	require.NoError(t, validate(encrypted(keyB+"\n", map[string]any{"compression": "zstd"})))
	require.NoError(t, validate(nil))
	for _, key := range []string{"a-secret-that-is-no-key", keyA[:40], keyB + "00"} {
		err := validate(encrypted(key, map[string]any{}))
		require.ErrorContains(t, err, "encryption::key: must be 32 bytes in base64 or hex (got ")
		assert.NotContains(t, err.Error(), key)
	}
	for _, nothing := range []any{"", nil} {
		err := validate(map[string]any{"encryption": map[string]any{"key": nothing}})
		require.ErrorContains(t, err, `encryption::key: must be a key, or absent: an environment variable for it has to be set (got "")`)
	}
	err := validate(withKey(keyA))
	require.ErrorContains(t, err, `log::format: must be otlp_proto with encryption::key, since encrypted lines could be read by nobody (got "otlp_json")`)
	require.ErrorContains(t, validate(logSettings(map[string]any{"compression": "gzip"})), `log::compression: must be one of none, zstd (got "gzip")`)
}

func TestMarshalHidesTheKey(t *testing.T) {
	conf := confmap.New()
	require.NoError(t, conf.Marshal(loadConfig(t, encrypted(keyA, map[string]any{}))))
	shown := fmt.Sprint(conf.ToStringMap())
	assert.NotContains(t, shown, keyA)
	assert.Contains(t, shown, "[REDACTED]")
}

// With a key nothing that was sent is unencrypted anywhere in the directory: log, dead letter and copies of damage, compressed
// or not. Without a key it is, which proves that the test can fail.
func TestEncryptedDirectoryShowsNothing(t *testing.T) {
	const known = "a-known-attribute-value"
	for name, c := range map[string]struct {
		settings map[string]any
		tells    bool
	}{
		"encrypted":      {encrypted(keyA, map[string]any{}), false},
		"and compressed": {encrypted(keyA, map[string]any{"compression": "zstd"}), false},
		"in clear":       {logSettings(map[string]any{"format": "otlp_proto"}), true},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBackend(t)
			dir := t.TempDir()
			cfg := loadConfig(t, testSettings(dir), grpcTo(b), c.settings, map[string]any{"metadata_keys": []any{"x-tenant"}})
			in := func() plog.Logs {
				ld := makeLogs("named", 1)
				ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).Attributes().PutStr("key", known)
				return ld
			}
			ctx := client.NewContext(t.Context(), client.Info{Metadata: client.NewMetadata(map[string][]string{"x-tenant": {known}})})
			b.refuse(codes.InvalidArgument)
			g := startGateway(t, newTestHost(), cfg)
			require.NoError(t, g.logs.ConsumeLogs(ctx, in()))
			b.refuse(codes.Unavailable)
			for range 4 {
				require.NoError(t, g.logs.ConsumeLogs(ctx, in()))
			}
			g.stop()
			// The test damages the last bytes of a record, so that reading copies them to the quarantine.
			at := filepath.Join(dir, "fallbacklog", "logs")
			for _, name := range matching(t, at, ".otlp") {
				if filepath.Dir(name) == at {
					data, err := os.ReadFile(name)
					require.NoError(t, err)
					data[len(data)/4-1] ^= 1
					require.NoError(t, os.WriteFile(name, data, 0o600))
				}
			}
			g = startGateway(t, newTestHost(), cfg)
			eventually(t, func() bool { return g.sum("corrupt_bytes") > 0 }, "damage is found")
			g.stop()
			found, places := 0, map[string]bool{}
			for _, name := range matching(t, dir, "") {
				if fi, err := os.Stat(name); err != nil || fi.IsDir() {
					continue
				}
				data, err := os.ReadFile(name)
				require.NoError(t, err)
				if bytes.Contains(data, []byte(known)) {
					found++
				}
				places[filepath.Base(filepath.Dir(name))] = true
			}
			assert.Equal(t, map[string]bool{"fallbacklog": true, "logs": true, "metrics": true, "traces": true, "dead-letter": true, "quarantine": true}, places)
			if c.tells {
				assert.Equal(t, 3, found, "log, dead letter, quarantine")
			} else {
				assert.Zero(t, found)
			}

			b.set(nil)
			g = startGateway(t, newTestHost(), cfg)
			eventually(t, func() bool { return g.sum("bytes_on_disk") == 0 }, "what is whole is delivered")
			assert.Equal(t, map[string]int{"named/0": 3}, b.names())
		})
	}
}

func TestStartNeedsTheKeyOfTheLog(t *testing.T) {
	b := newBackend(t)
	dir := t.TempDir()
	b.refuse(codes.Unavailable)
	start := func(settings ...map[string]any) (*gateway, error) {
		return tryGateway(t, newTestHost(), loadConfig(t, append([]map[string]any{testSettings(dir), grpcTo(b)}, settings...)...))
	}
	g, err := start(encrypted(keyA, map[string]any{}))
	require.NoError(t, err)
	g.send("x", 3)
	g.stop()
	for _, other := range []map[string]any{{}, encrypted(keyB, map[string]any{})} {
		g, err = start(other)
		require.ErrorIs(t, err, errOtherKey)
		require.ErrorIs(t, err, record.ErrKey)
		require.ErrorContains(t, err, "encryption::key: must be the key of the records in the log")
		require.ErrorContains(t, err, filepath.Join(dir, "fallbacklog"))
		assert.NotContains(t, err.Error(), keyA)
		assert.NotContains(t, err.Error(), keyB)
		g.stop()
	}
	b.set(nil)
	_, err = start(encrypted(keyA, map[string]any{}))
	require.NoError(t, err)
	eventually(t, func() bool { return len(b.names()) == 9 }, "everything arrives with its key")
}

// A record of another key in the middle of the log, which the start does not check, is kept and reported. The records behind it
// and live data are delivered, even after the breaker was open. A start with the record's key delivers it.
func TestRecordOfAnotherKeyIsKept(t *testing.T) {
	for _, order := range []string{"oldest_first", "newest_first", "strict"} {
		t.Run(order, func(t *testing.T) {
			b := newBackend(t)
			dir := t.TempDir()
			at := filepath.Join(dir, "fallbacklog", "logs")
			for n, text := range []string{keyB, keyA, keyB} {
				key, err := record.NewKey(text)
				require.NoError(t, err)
				codec := record.Frames{Key: key}
				l, err := segment.Open(segment.Options{Dir: at, Kind: kind(codec), Budget: &segment.Budget{Max: 1 << 20}, MaxSegmentBytes: 1 << 20})
				require.NoError(t, err)
				payload, err := logs.proto.marshal(makeLogs(fmt.Sprint("old-", n), 1))
				require.NoError(t, err)
				frame, err := codec.Append(nil, payload, record.Meta{Time: time.Now(), Signal: "logs", Reason: "breaker_open", Items: 1})
				require.NoError(t, err)
				require.NoError(t, l.Append(frame))
				require.NoError(t, l.Close())
			}
			settings := encrypted(keyB, map[string]any{})
			settings["replay"] = map[string]any{"order": order}
			cfg := loadConfig(t, testSettings(dir), grpcTo(b), settings)
			g := startGateway(t, newTestHost(), cfg)
			eventually(t, func() bool { return len(b.names()) == 2 }, "what can be read goes out")
			eventually(t, func() bool { return g.sum("errors", "error_type", "key") == 1 }, "the other one is said, once")
			b.refuse(codes.Unavailable)
			for k := range 5 {
				require.NoError(t, g.logs.ConsumeLogs(t.Context(), makeLogs(fmt.Sprint("live-", k), 1)))
			}
			b.set(func(string) error { return nil })
			eventually(t, func() bool { return len(b.names()) == 7 }, "the outage ends")
			b.set(func(string) error { return status.Error(codes.Unavailable, "again") })
			for k := range 3 {
				require.NoError(t, g.logs.ConsumeLogs(t.Context(), makeLogs(fmt.Sprint("more-", k), 1)))
			}
			b.set(nil)
			eventually(t, func() bool { return len(b.names()) == 10 }, "and again")
			require.NoError(t, g.logs.ConsumeLogs(t.Context(), makeLogs("last", 1)))
			eventually(t, func() bool { return len(b.names()) == 11 }, "live data goes out")
			assert.Positive(t, g.sum("bytes_on_disk"))
			assert.Zero(t, g.sum("dead_letter_items"))
			assert.Zero(t, g.sum("dropped_items"))
			assert.NotContains(t, b.names(), "old-1/0")
			g.stop()
			assert.Len(t, matching(t, at, ".otlp"), 1)

			settings["encryption"] = map[string]any{"key": keyA}
			g = startGateway(t, newTestHost(), loadConfig(t, testSettings(dir), grpcTo(b), settings))
			eventually(t, func() bool { return b.names()["old-1/0"] == 1 }, "it goes out with its key")
			eventually(t, func() bool { return g.sum("bytes_on_disk") == 0 }, "")
		})
	}
}

// While a half-open breaker needs a probe and the log contains only records of another key, live data probes.
func TestLiveDataProbesBesideRecordsOfAnotherKey(t *testing.T) {
	b := newBackend(t)
	dir := t.TempDir()
	at := filepath.Join(dir, "fallbacklog", "logs")
	key, err := record.NewKey(keyA)
	require.NoError(t, err)
	codec := record.Frames{Key: key}
	l, err := segment.Open(segment.Options{Dir: at, Kind: kind(codec), Budget: &segment.Budget{Max: 1 << 20}, MaxSegmentBytes: 1 << 20})
	require.NoError(t, err)
	plain, err := record.Frames{}.Append(nil, nil, record.Meta{Signal: "logs"})
	require.NoError(t, err)
	locked, err := codec.Append(nil, nil, record.Meta{Signal: "logs"})
	require.NoError(t, err)
	require.NoError(t, l.Append(append(append(plain, locked...), plain...))) // the start checks the first record
	require.NoError(t, l.Close())
	cfg := loadConfig(t, testSettings(dir), grpcTo(b), encrypted(keyB, map[string]any{}), map[string]any{
		"log": map[string]any{"max_disk_mib": 1}, "dead_letter": map[string]any{"enabled": true},
	})
	g := startGateway(t, newTestHost(), cfg)
	eventually(t, func() bool { return g.sum("errors", "error_type", "key") == 1 }, "")
	c := g.logs.(logsExporter).core
	eventually(t, func() bool { return g.logs.(logsExporter).lane.log.Stats().Unread == int64(len(locked)) }, "the others are done")
	// Three failures open the breaker. The log is full, so none of these batches is logged and replay has no record to probe
	// with.
	c.logBudget.Add(1 << 30)
	b.refuse(codes.Unavailable)
	for range 3 {
		require.Error(t, g.logs.ConsumeLogs(t.Context(), makeLogs("refused", 1)))
	}
	b.set(nil)
	eventually(t, func() bool { return g.logs.ConsumeLogs(t.Context(), makeLogs("probe", 1)) == nil }, "live data probes")
	c.logBudget.Release(1 << 30)
}

// A record that was changed together with its checksums goes unchanged to the dead letter. The number of its items is unknown,
// so it counts with none. The other records arrive.
func TestForgedRecordGoesToTheDeadLetter(t *testing.T) {
	b := newBackend(t)
	dir := t.TempDir()
	b.refuse(codes.Unavailable)
	cfg := loadConfig(t, testSettings(dir), grpcTo(b), encrypted(keyA, map[string]any{}))
	g := startGateway(t, newTestHost(), cfg)
	for k := range 3 {
		require.NoError(t, g.logs.ConsumeLogs(t.Context(), makeLogs(fmt.Sprint(k), 1)))
	}
	g.stop()
	files := matching(t, filepath.Join(dir, "fallbacklog", "logs"), ".otlp")
	require.Len(t, files, 1)
	data, err := os.ReadFile(files[0])
	require.NoError(t, err)
	sum := func(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }
	_, n := record.Frames{}.Next(data, true)
	second, m := record.Frames{}.Next(data[n:], true)
	require.Len(t, second, m)
	second[m-1] ^= 1
	binary.LittleEndian.PutUint32(second[28:], sum(second[36:]))
	binary.LittleEndian.PutUint32(second[32:], sum(second[:32]))
	require.NoError(t, os.WriteFile(files[0], data, 0o600))

	b.set(nil)
	g = startGateway(t, newTestHost(), cfg)
	eventually(t, func() bool { return g.sum("bytes_on_disk") == 0 }, "the log is empty")
	assert.Equal(t, map[string]int{"0/0": 1, "2/0": 1}, b.names())
	g.stop()
	dead := matching(t, filepath.Join(dir, "fallbacklog", "logs", "dead-letter"), ".otlp")
	require.Len(t, dead, 1)
	copied, err := os.ReadFile(dead[0])
	require.NoError(t, err)
	assert.Equal(t, second, copied)
}
