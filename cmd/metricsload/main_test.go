package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
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
		"help requested":                                 {"-h"},
		"flag provided but not":                          {"-speed", "3"},
		"types: must be of":                              {"-types", "c,x"},
		"arguments: must be flags":                       {"now"},
		"workers: must be in 1..connections = 2 (got 3)": {"-network", "otlp_grpc", "-connections", "2", "-workers", "3"},
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

// With -network otlp_http the ledger counts the requests that the server has received.
func TestRunSendsOTLP(t *testing.T) {
	var requests atomic.Uint64
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/metrics" {
			requests.Add(1)
		}
	}))
	defer server.Close()
	var stdout, stderr bytes.Buffer
	require.NoError(t, run(t.Context(), []string{
		"-network", "otlp_http", "-endpoint", strings.TrimPrefix(server.URL, "http://"),
		"-rate", "200", "-connections", "2", "-points", "3", "-duration", "100ms",
	}, &stdout, &stderr))
	var ledger load.OTLPLedger
	require.NoError(t, json.Unmarshal(stdout.Bytes(), &ledger))
	assert.EqualValues(t, 20, ledger.Acknowledged)
	assert.Equal(t, requests.Load(), ledger.Requests)
	assert.InDelta(t, 60, ledger.AcknowledgedSum, 0)
}
