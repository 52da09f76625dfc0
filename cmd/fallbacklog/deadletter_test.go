package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/plog"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/logtool"

	"github.com/otelcol-custom/otelcol-custom/internal/harness"
	"github.com/otelcol-custom/otelcol-custom/internal/otlptest"
)

func TestVersion(t *testing.T) {
	text, err := os.ReadFile("../../builder-config.yaml")
	require.NoError(t, err)
	assert.Contains(t, string(text), "\n  version: "+version()+"\n")
	assert.Equal(t, "fallbacklog "+version()+"\n", done(t, "--version"))
}

// refusals are the records of a dead letter, with two codes and messages, oldest first.
func refusals(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	n := 0
	g := startGateway(t, dir, func(plog.Logs) error {
		n++
		if n%2 == 0 {
			return consumererror.NewPermanent(status.Error(codes.InvalidArgument, "too many labels\x1b[31m"))
		}
		return consumererror.NewPermanent(status.Error(codes.FailedPrecondition, "no such tenant"))
	})
	g.sendLogs("dead", 4)
	g.stop()
	return dir
}

// The flags select records of the dead letter by code, reason, age, and a substring, also of the backend's message.
func TestDeadLetterIsChosenFrom(t *testing.T) {
	dir := refusals(t)
	even, odd := []string{"dead-1/0", "dead-1/1", "dead-3/0", "dead-3/1"}, []string{"dead-0/0", "dead-0/1", "dead-2/0", "dead-2/1"}
	assert.Contains(t, done(t, "cat", "-dead-letter", "-n", "1", dir), `no such tenant","attempts":1`)
	assert.Contains(t, done(t, "cat", "-dead-letter", "-code", "InvalidArgument", "-n", "1", dir), `too many labels [31m"`)
	for want, args := range map[*[]string][][]string{
		&odd:  {{"-code", "FailedPrecondition"}, {"-contains", "no such tenant"}, {"-contains", "tenant", "-reason", "permanent"}},
		&even: {{"-code", "InvalidArgument"}, {"-code", "400", "-code", "InvalidArgument", "-since", "1h"}},
		{}:    {{"-code", "400"}, {"-reason", "poison"}, {"-until", "1h"}, {"-contains", "nobody"}},
	} {
		for _, a := range args {
			got := catNames(t, append(a, "-dead-letter", dir)...)
			assert.ElementsMatch(t, *want, got, "%v", a)
		}
	}
	assert.Contains(t, done(t, "requeue", "-contains", "dead-2/", dir), "1 records, 2 items moved to the log, 3 records kept")
	assert.Equal(t, []string{"dead-2/0", "dead-2/1"}, catNames(t, dir))
	assert.Contains(t, done(t, "discard", "-code", "InvalidArgument", dir), "2 records, 4 items discarded, 1 records kept")
	assert.Equal(t, []string{"dead-0/0", "dead-0/1"}, catNames(t, "-dead-letter", dir))
	assert.Contains(t, done(t, "discard", "-all", dir), "1 records, 2 items discarded")
	assert.Empty(t, catNames(t, "-dead-letter", dir))
}

// While a gateway runs, requeue and discard ask the gateway and have the same effect as without one.
func TestDeadLetterBesideAGateway(t *testing.T) {
	dir := refusals(t)
	var took []string
	g := startGateway(t, dir, func(ld plog.Logs) error { took = append(took, otlptest.LogBodies(ld)...); return nil })
	assert.Contains(t, done(t, "discard", "-code", "InvalidArgument", dir), "fallbacklog/eu logs dead letter: 2 records, 4 items discarded, 2 records kept")
	assert.Contains(t, done(t, "requeue", "-contains", "dead-2/", dir), "1 records, 2 items moved to the log, 1 records kept")
	harness.Eventually(t, func() bool { return len(catNames(t, dir)) == 0 }, time.Minute, 10*time.Millisecond, "it is replayed")
	assert.Contains(t, done(t, "requeue", dir), "1 records, 2 items moved to the log\n")
	harness.Eventually(t, func() bool { return len(catNames(t, dir)) == 0 }, time.Minute, 10*time.Millisecond)
	assert.Contains(t, done(t, "requeue", dir), "0 records, 0 items moved to the log")
	g.stop()
	assert.Equal(t, []string{"dead-2/0", "dead-2/1", "dead-0/0", "dead-0/1"}, took)
	left, err := filepath.Glob(filepath.Join(dir, "*", "*.json*"))
	require.NoError(t, err)
	assert.Empty(t, left)
}

// The selected records may be scattered over more places than the cursor can store. They still do not come back.
func TestScatteredRecordsStayDiscarded(t *testing.T) {
	dir := t.TempDir()
	const records = 600
	refuseDead := func(ld plog.Logs) error { // others are accepted, as five refusals in a row would count as an outage
		if strings.HasPrefix(otlptest.LogBodies(ld)[0], "dead") {
			return refuse(ld)
		}
		return nil
	}
	g := startGateway(t, dir, refuseDead)
	for k := range records {
		g.sendLogs(fmt.Sprintf("dead%03d", k), 1)
		g.sendLogs("taken", 1)
	}
	for k, digit := range []string{"1", "3", "5", "7", "9"} {
		if k == 2 {
			g.stop() // then the command does the work itself
		}
		assert.Contains(t, done(t, "discard", "-contains", digit+"-0/0", dir), "60 records, 120 items discarded")
	}
	left := catNames(t, "-dead-letter", dir)
	assert.Len(t, left, 2*records/2)
	for _, name := range left {
		assert.Contains(t, "02468", name[len("dead00"):len("dead000")])
	}
}

// A request that no gateway picks up is withdrawn.
func TestRequestThatNobodyPicksUp(t *testing.T) {
	dir := refusals(t)
	root := filepath.Join(dir, "fallbacklog%2Feu")
	if _, err := os.Stat(root); err != nil {
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		root = filepath.Join(dir, entries[0].Name())
	}
	g := startGateway(t, dir, refuse)
	require.NoError(t, os.WriteFile(filepath.Join(root, "request.json"), []byte("{"), 0o600))
	require.Eventually(t, func() bool {
		_, err := os.Stat(filepath.Join(root, "request.json"))
		return os.IsNotExist(err)
	}, time.Minute, 10*time.Millisecond, "one that cannot be read is answered and removed")
	r := runTool(t, "requeue", "-wait", "1ms", dir)
	if r.code != exitDone { // otherwise the gateway was faster
		assert.Contains(t, r.stderr, logtool.ErrNotPickedUp.Error())
	}
	_, err := os.Stat(filepath.Join(root, "request.json"))
	assert.True(t, os.IsNotExist(err))
	g.stop()
}
