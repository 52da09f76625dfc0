package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestGatewayPage: quickstart and development have the page, and name it once.
func TestGatewayPage(t *testing.T) {
	for _, file := range []string{"quickstart.yaml", "development.yaml"} {
		t.Run(file, func(t *testing.T) {
			g := newGateway(t, file)
			startBackend(t, g.backend)
			g.start()
			address := g.env["GATEWAYPAGE_ENDPOINT"]
			var state struct {
				Verdict struct {
					Level, Text string
					Ready       bool
				}
				Residual *int64
			}
			eventually(t, "the page knows the pipelines", func() bool {
				status, body := askPage(t, "http://"+address+"/api/v1/state", "")
				return status == http.StatusOK && json.Unmarshal(body, &state) == nil && state.Residual != nil
			})
			assert.Equal(t, "ok", state.Verdict.Level, state.Verdict.Text)
			assert.True(t, state.Verdict.Ready)
			status, _ := askPage(t, "http://"+g.env["PROBES_ENDPOINT"]+"/readyz", "")
			assert.Equal(t, http.StatusOK, status)
			g.stop()
			assert.Equal(t, 1, strings.Count(g.output.String(), "Gateway page: http://"+address))
		})
	}
}

// TestGatewayPageBehindAToken: the overlay of the image needs a token, from the operator and from viewers.
func TestGatewayPageBehindAToken(t *testing.T) {
	g := newGateway(t, "quickstart.yaml")
	g.configs = append(g.configs, config("overlays/gatewaypage.yaml"))
	output := g.fails(t)
	assert.Contains(t, output, "bearertokenauth")

	g.env["GATEWAYPAGE_TOKEN"] = "right"
	g.start()
	url := "http://" + g.env["GATEWAYPAGE_ENDPOINT"]
	for token, want := range map[string]int{"": http.StatusUnauthorized, "wrong": http.StatusUnauthorized, "right": http.StatusOK} {
		for _, path := range []string{"state", "history", "text", "bundle"} {
			status, body := askPage(t, url+"/api/v1/"+path, token)
			assert.Equal(t, want, status, path)
			assert.NotContains(t, string(body), `"right"`)
		}
	}
	status, _ := askPage(t, url+"/", "")
	assert.Equal(t, http.StatusOK, status)
	status, _ = askPage(t, "http://"+g.env["PROBES_ENDPOINT"]+"/readyz", "")
	assert.Equal(t, http.StatusOK, status)
	g.stop()
	assert.NotContains(t, g.output.String(), `"right"`)
}

func askPage(t *testing.T, url, token string) (status int, body []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	require.NoError(t, err)
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err = io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, body
}
