package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/internal/load"
)

func TestRunPrintsTheLedger(t *testing.T) {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	defer conn.Close()

	var stdout, stderr bytes.Buffer
	require.NoError(t, run(t.Context(), []string{
		"-endpoint", conn.LocalAddr().String(), "-lines", "100", "-duration", "0", "-types", "c,ms",
	}, &stdout, &stderr))
	var ledger load.Ledger
	require.NoError(t, json.Unmarshal(stdout.Bytes(), &ledger))
	assert.NotZero(t, ledger.Lines)
	assert.Contains(t, ledger.Metrics, "load.counter")
	assert.Contains(t, ledger.Metrics, "load.timer")
	assert.Empty(t, stderr.String())
}

func TestRunRefusesBadArguments(t *testing.T) {
	for want, args := range map[string][]string{
		"help requested":           {"-h"},
		"flag provided but not":    {"-speed", "3"},
		"types: must be of":        {"-types", "c,x"},
		"arguments: must be flags": {"now"},
	} {
		var stdout, stderr bytes.Buffer
		err := run(t.Context(), args, &stdout, &stderr)
		require.ErrorContains(t, err, want)
		assert.Empty(t, stdout.String())
		if want == "help requested" {
			require.ErrorIs(t, err, flag.ErrHelp)
			assert.Contains(t, stderr.String(), "Usage: metricsload")
		}
	}
}
