package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/logtool"

	"github.com/otelcol-custom/otelcol-custom/internal/harness"
	"github.com/otelcol-custom/otelcol-custom/internal/otlptest"
)

var fiveLogs = []string{
	"log-0/0", "log-0/1", "log-1/0", "log-1/1", "log-2/0", "log-2/1", "log-3/0", "log-3/1", "log-4/0", "log-4/1",
}

func TestListShowsWhatIsThere(t *testing.T) {
	dir := written(t)
	var all []logtool.Summary
	require.NoError(t, json.Unmarshal([]byte(done(t, "ls", "-json", dir)), &all))
	type row struct {
		component, signal string
		dead              bool
		records, items    int
	}
	var rows []row
	for _, s := range all {
		rows = append(rows, row{s.Component, s.Signal, s.DeadLetter, s.Content.Records, s.Content.Items})
		assert.Equal(t, s.Bytes, s.UnreadBytes)
		if s.Content.Records > 0 {
			assert.WithinDuration(t, time.Now(), s.Content.Oldest, time.Hour)
			assert.False(t, s.Content.Newest.Before(s.Content.Oldest))
		}
	}
	assert.Equal(t, []row{
		{"fallbacklog/eu", "logs", false, 5, 10},
		{"fallbacklog/eu", "logs", true, 2, 4},
		{"fallbacklog/eu", "metrics", false, 1, 1},
		{"fallbacklog/eu", "metrics", true, 0, 0},
	}, rows)

	text := done(t, "ls", dir, "-segments")
	assert.Contains(t, text, "logs/dead-letter")
	assert.Contains(t, text, filepath.Base(segments(t, dir, "logs")[0]))
	// The directory of the component is also accepted, and -fast does not read the records.
	text = done(t, "ls", "-fast", filepath.Join(dir, "fallbacklog%2Feu"))
	assert.Contains(t, text, "fallbacklog/eu")
}

func TestCatWritesOTLP(t *testing.T) {
	dir := written(t)
	assert.Equal(t, fiveLogs, catNames(t, dir))
	assert.Equal(t, fiveLogs[:4], catNames(t, "-n", "2", dir))
	assert.Equal(t, []string{"dead-0/0", "dead-0/1", "dead-1/0", "dead-1/1"}, catNames(t, "-dead-letter", dir))
	assert.Equal(t, fiveLogs, catNames(t, "-since", "1h", dir))
	assert.Empty(t, catNames(t, "-until", "1h", dir))
	assert.Empty(t, catNames(t, "-since", "2999-01-01T00:00:00Z", dir))
	assert.Contains(t, done(t, "cat", "-dead-letter", "-signal", "logs", dir), `"code":"InvalidArgument"`)
}

func TestVerifyFindsDamageAndTheGatewayPassesOverIt(t *testing.T) {
	dir := written(t)
	assert.Contains(t, done(t, "verify", dir), "logs: 5 records, 10 items")
	file := segments(t, dir, "logs")[0]
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	damaged := bytes.Replace(content, []byte("log-2/0"), []byte("log-X/0"), 1)
	torn := content[:bytes.IndexByte(content, '\n')/2]
	require.NoError(t, os.WriteFile(file, append(damaged, torn...), 0o600))

	r := runTool(t, "verify", dir)
	assert.Equal(t, exitDamaged, r.code)
	assert.Contains(t, r.stdout, "damage: "+filepath.Base(file))
	assert.Contains(t, r.stdout, "are unfinished")
	assert.Contains(t, r.stderr, "damage in 1 places")
	assert.Equal(t, exitDamaged, runTool(t, "cat", dir).code)

	rest := append(append([]string(nil), fiveLogs[:4]...), fiveLogs[6:]...)
	var took []string
	g := startGateway(t, dir, func(ld plog.Logs) error { took = append(took, otlptest.LogBodies(ld)...); return nil })
	harness.Eventually(t, func() bool { return len(catNames(t, dir)) == 0 }, time.Minute, 10*time.Millisecond)
	g.stop()
	assert.Equal(t, rest, took, "in their order, without the damaged one")
	aside, err := filepath.Glob(filepath.Join(dir, "*", "logs", "quarantine", "*"))
	require.NoError(t, err)
	require.Len(t, aside, 1)
	copied, err := os.ReadFile(aside[0])
	require.NoError(t, err)
	assert.Contains(t, string(copied), "log-X/0")
}

func TestReadingCommandsWorkBesideAGateway(t *testing.T) {
	dir := written(t)
	g := startGateway(t, dir, nil)
	defer g.stop()
	g.sendLogs("live", 1)
	before := tree(t, dir)
	s := newServer(t)
	for _, args := range [][]string{
		{"ls"}, {"ls", "-fast"}, {"cat"}, {"cat", "-dead-letter"}, {"verify"},
	} {
		done(t, append(args, dir)...)
	}
	assert.Empty(t, s.names())
	assert.Equal(t, before, tree(t, dir), "nothing is written")
	for _, args := range [][]string{{"replay", "-endpoint", s.grpc}} {
		r := runTool(t, append(args, dir)...)
		assert.Equal(t, exitInUse, r.code, "%v: %s", args, r.stderr)
		assert.Contains(t, r.stderr, "in use")
	}
}

func TestReplayDeliversAndMarks(t *testing.T) {
	for _, way := range []string{"grpc", "http"} {
		t.Run(way, func(t *testing.T) {
			dir := written(t)
			s := newServer(t)
			endpoint := map[string]string{"grpc": s.grpc, "http": s.http}[way]
			r := runTool(t, "replay", "-progress", "-header", "X-Tenant=eu", "-endpoint", endpoint, dir)
			require.Equal(t, exitDone, r.code, "%s", r.stderr)
			assert.Equal(t, append(append([]string(nil), fiveLogs...), "m"), s.names())
			assert.Contains(t, r.stdout, "logs: 5 records, 10 items sent")
			assert.Contains(t, r.stderr, "(100 %)")
			assert.Empty(t, catNames(t, dir))
			done(t, "replay", "-endpoint", endpoint, dir)
			assert.Len(t, s.names(), len(fiveLogs)+1, "nothing is sent twice")
			assert.Equal(t, "eu", s.tenants[0])
		})
	}
}

func TestReplayGoesOnWhereItStopped(t *testing.T) {
	dir := written(t)
	s := newServer(t)

	// The server refuses the third batch permanently.
	s.set(func(_ context.Context, name string) error {
		if name == "log-2/0" {
			return status.Error(codes.InvalidArgument, "by the test")
		}
		return nil
	})
	r := runTool(t, "replay", "-signal", "logs", "-endpoint", s.grpc, dir)
	assert.Equal(t, exitFailed, r.code)
	assert.Contains(t, r.stderr, "by the test")
	assert.Equal(t, fiveLogs[:4], s.names())
	assert.Equal(t, fiveLogs[4:], catNames(t, dir))

	// The server does not answer the fourth batch, and a signal stops the command.
	reached := make(chan struct{}, 1)
	s.set(func(ctx context.Context, name string) error {
		if name != "log-3/0" {
			return nil
		}
		reached <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	})
	cmd := process("replay", "-signal", "logs", "-endpoint", s.grpc, "-timeout", "1m", dir)
	require.NoError(t, cmd.Start())
	<-reached
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.Error(t, cmd.Wait())
	assert.Equal(t, exitInterrupted, cmd.ProcessState.ExitCode())
	assert.Equal(t, fiveLogs[:6], s.names())

	// The server is unavailable once, and then accepts the rest.
	busy := true
	s.set(func(context.Context, string) error {
		if busy {
			busy = false
			return status.Error(codes.Unavailable, "busy")
		}
		return nil
	})
	done(t, "replay", "-signal", "logs", "-endpoint", s.grpc, dir)
	assert.Equal(t, fiveLogs, s.names())
}

func TestRequeueMovesTheDeadLetter(t *testing.T) {
	dir := written(t)
	assert.Contains(t, done(t, "requeue", dir), "2 records, 4 items moved")
	assert.Empty(t, catNames(t, "-dead-letter", dir))
	assert.Equal(t, append(append([]string(nil), fiveLogs...), "dead-0/0", "dead-0/1", "dead-1/0", "dead-1/1"), catNames(t, dir))
	done(t, "verify", dir)
}

// The commands read and write both formats, also in one log.
func TestBothFormats(t *testing.T) {
	dir := t.TempDir()
	g := startWithFormat(t, dir, "otlp_proto", refuse)
	g.sendLogs("frame", 2)
	g.stop()
	g = startWithFormat(t, dir, "otlp_json", refuse)
	g.sendLogs("line", 2)
	g.stop()
	want := []string{"frame-0/0", "frame-0/1", "frame-1/0", "frame-1/1", "line-0/0", "line-0/1", "line-1/0", "line-1/1"}
	require.Equal(t, want, catNames(t, "-dead-letter", dir))
	kinds := map[string]bool{}
	for _, name := range segments(t, dir, "logs", "dead-letter") {
		kinds[filepath.Ext(name)] = true
	}
	require.Equal(t, map[string]bool{".jsonl": true, ".otlp": true}, kinds)

	assert.Contains(t, done(t, "requeue", dir), "4 records, 8 items moved")
	assert.Equal(t, want, catNames(t, dir))
	done(t, "verify", dir)
	s := newServer(t)
	done(t, "replay", "-endpoint", s.grpc, dir)
	assert.Equal(t, want, s.names())
	assert.Empty(t, catNames(t, dir))
}

func TestWrongArguments(t *testing.T) {
	dir := written(t)
	for want, args := range map[string][]string{
		"Usage: fallbacklog":                      {},
		"command: must be one of":                 {"list", dir},
		"must have one directory":                 {"ls"},
		"signal: must be traces, metrics or logs": {"ls", "-signal", "log", dir},
		"flag provided but not defined: -speed":   {"cat", "-speed", dir},
		"must be a time such as":                  {"cat", "-since", "noon", dir},
		"endpoint: must be grpc://":               {"replay", dir},
		"attempts: must be 1 or more":             {"replay", "-attempts", "0", "-endpoint", "grpc://localhost:1", dir},
		"discard: must have -code, -reason":       {"discard", dir},
		"wait: must be more than 0":               {"requeue", "-wait", "0s", dir},
		"max-requests-per-second: must be 0 or":   {"replay", "-max-requests-per-second", "-1", "-endpoint", "grpc://localhost:1", dir},
		"timeout: must be more than 0":            {"replay", "-timeout", "0s", "-endpoint", "grpc://localhost:1", dir},
		`must be name=value`:                      {"replay", "-header", "x", dir},
	} {
		r := runTool(t, args...)
		assert.Equal(t, exitUsage, r.code, "%v: %s", args, r.stderr)
		assert.Contains(t, r.stderr, want)
		assert.Empty(t, r.stdout)
	}
	r := runTool(t, "ls", t.TempDir())
	assert.Equal(t, exitFailed, r.code)
	assert.Contains(t, r.stderr, "no log there")
	assert.Equal(t, exitFailed, runTool(t, "ls", filepath.Join(dir, "missing")).code)
}

func TestHelpTellsEveryFlagAndExitCode(t *testing.T) {
	help := done(t, "help")
	for _, c := range commands() {
		assert.Contains(t, help, "\n  "+c.name)
		text := done(t, c.name, "-help")
		assert.Contains(t, text, "Usage: fallbacklog "+c.name)
		assert.Contains(t, text, "-signal")
	}
	for _, meaning := range []string{"0  done", "1  failed", "2  wrong arguments", "3  verify, cat", "4  the directory is in use", "5  interrupted"} {
		assert.Contains(t, help, meaning)
	}
}

func TestProgressLine(t *testing.T) {
	assert.Equal(t, "0 B of 0 B (100 %)", progressLine(0, 0, 0))
	assert.Equal(t, "512.0 KiB of 2.0 MiB (25 %), 256.0 KiB/s, 6s left", progressLine(512<<10, 2<<20, 2*time.Second))

	var out bytes.Buffer
	now := time.Unix(0, 0)
	p := &progress{out: &out, terminal: true, now: func() time.Time { return now }, began: now}
	for done := range int64(101) {
		p.report(done, 100)
		now = now.Add(10 * time.Millisecond)
	}
	p.end()
	assert.Equal(t, 6, strings.Count(out.String(), "\r"), "immediately, then five times per second")
	assert.Equal(t, 1, strings.Count(out.String(), "\n"))
}
