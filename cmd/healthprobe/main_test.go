package main

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRun(t *testing.T) {
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	require.NoError(t, run(t.Context(), []string{server.URL}))
	status = http.StatusServiceUnavailable
	require.ErrorContains(t, run(t.Context(), []string{server.URL}), "must answer 200 (got 503)")
	server.Close()
	require.Error(t, run(t.Context(), []string{server.URL}))
	require.ErrorContains(t, run(t.Context(), nil), "arguments: must be one URL (got 0)")
}
