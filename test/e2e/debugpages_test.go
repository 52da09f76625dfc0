package e2e

import (
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestDebugPages: zPages show the pipelines and the extensions, and pprof shows the goroutines.
func TestDebugPages(t *testing.T) {
	g := newGateway(t, "gateway.yaml")
	g.start()
	for address, contains := range map[string][]string{
		g.env["ZPAGES_ENDPOINT"] + "/debug/servicez":               {"otelcol-custom"},
		g.env["ZPAGES_ENDPOINT"] + "/debug/pipelinez":              {"metrics", "traces", "logs", "memory_limiter", "bucketing", "cardinalitylimit", "fallbacklog/metrics"},
		g.env["ZPAGES_ENDPOINT"] + "/debug/extensionz":             {"health_check", "pprof", "zpages"},
		g.env["PPROF_ENDPOINT"] + "/debug/pprof/goroutine?debug=1": {"goroutine profile: total", "fallbacklog"},
	} {
		request, err := http.NewRequestWithContext(withTimeout(t), http.MethodGet, "http://"+address, nil)
		require.NoError(t, err)
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		assert.Equal(t, http.StatusOK, response.StatusCode, address)
		for _, text := range contains {
			assert.Contains(t, string(body), text, address)
		}
	}
	g.stop()
}
