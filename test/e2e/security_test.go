package e2e

import (
	"crypto/tls"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// TestMutualTLS: a client with a certificate of the authority and the token is accepted, over both protocols. Any other client
// is refused, and so is a backend or a gateway with a certificate of another authority.
func TestMutualTLS(t *testing.T) {
	a, stranger := newAuthority(t), newAuthority(t)
	g := newGateway(t, "mtls.yaml", impatient)
	token := g.withCertificates(a)
	r := startRecorder(t, g.backend, a.serverTLS(tls.RequireAndVerifyClientCert))
	g.start()

	one := plog.NewLogs()
	one.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().Body().SetStr("x")
	overGRPC := func(config *tls.Config, token string) codes.Code {
		conn, err := grpc.NewClient(g.grpc, grpc.WithTransportCredentials(credentials.NewTLS(config)))
		require.NoError(t, err)
		defer conn.Close()
		ctx := metadata.AppendToOutgoingContext(withTimeout(t), "authorization", "Bearer "+token)
		_, err = plogotlp.NewGRPCClient(conn).Export(ctx, plogotlp.NewExportRequestFromLogs(one))
		return status.Code(err)
	}
	overHTTP := func(config *tls.Config, token string) (int, error) {
		transport := &http.Transport{TLSClientConfig: config}
		defer transport.CloseIdleConnections()
		request, err := http.NewRequestWithContext(withTimeout(t), http.MethodPost, "https://"+g.http+"/v1/logs", strings.NewReader(logsOf(1)))
		require.NoError(t, err)
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Authorization", "Bearer "+token)
		response, err := (&http.Client{Transport: transport}).Do(request)
		if err != nil {
			return 0, err
		}
		return response.StatusCode, response.Body.Close()
	}
	client := func(signer *authority) *tls.Config {
		return &tls.Config{RootCAs: a.pool(), Certificates: []tls.Certificate{signer.load(signer.issue("client"))}, MinVersion: tls.VersionTLS12}
	}

	assert.Equal(t, codes.OK, overGRPC(client(a), token))
	answered, err := overHTTP(client(a), token)
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, answered)
	assert.Len(t, r.logBatches(), 2, "the backend accepted the gateway's certificate")

	for name, refused := range map[string]*tls.Config{
		"no certificate":                     {RootCAs: a.pool(), MinVersion: tls.VersionTLS12},
		"a certificate of another authority": client(stranger),
		"a client that trusts another server": {
			RootCAs: stranger.pool(), Certificates: client(a).Certificates, MinVersion: tls.VersionTLS12,
		},
	} {
		assert.Equal(t, codes.Unavailable, overGRPC(refused, token), name)
		_, err := overHTTP(refused, token)
		require.Error(t, err, name)
	}
	for _, wrong := range []string{"", "tunafish", token + "x"} {
		assert.Equal(t, codes.Unauthenticated, overGRPC(client(a), wrong), "token %q", wrong)
		answered, err := overHTTP(client(a), wrong)
		require.NoError(t, err)
		assert.Equal(t, http.StatusUnauthorized, answered, "token %q", wrong)
	}
	assert.Len(t, r.logBatches(), 2, "nothing else went through")
	assert.NotContains(t, g.output.String(), token)
	g.stop()

	// A backend with a certificate of another authority gets no data. The data waits in the log.
	deceived := newGateway(t, "mtls.yaml", impatient)
	token = deceived.withCertificates(a)
	impostor := startRecorder(t, deceived.backend, stranger.serverTLS(tls.NoClientCert))
	deceived.start()
	g = deceived
	assert.Equal(t, codes.OK, overGRPC(client(a), token))
	assert.Empty(t, impostor.logBatches())
	assert.NotEmpty(t, deceived.logged(t, "logs"))
	deceived.stop()
}

// TestLocalLogIsPrivate: only its owner can read the log of the durable configurations.
func TestLocalLogIsPrivate(t *testing.T) {
	g := newGateway(t, "gateway.yaml", `exporters: {fallbacklog: {timeout: 200ms, budget: 200ms}}`)
	g.start()
	require.Equal(t, http.StatusOK, g.post(t, "/v1/logs", logsOf(1)))
	files := 0
	require.NoError(t, filepath.WalkDir(g.log, func(path string, entry os.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := entry.Info()
		require.NoError(t, err)
		if entry.IsDir() {
			assert.Equal(t, os.FileMode(0o700), info.Mode().Perm(), path)
		} else {
			files++
			assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), path)
		}
		return nil
	}))
	assert.Positive(t, files)
	g.stop()
}

// pii is an item with personal data in every place; the text replaces %s.
const (
	piiAttributes = `"attributes":[{"key":"user.email","value":{"stringValue":"swordfish"}},{"key":"shop","value":{"stringValue":"s1"}},
		{"key":"deep","value":{"kvlistValue":{"values":[{"key":"user","value":{"kvlistValue":{"values":[{"key":"id","value":{"stringValue":"swordfish"}}]}}},
		{"key":"list","value":{"arrayValue":{"values":[{"kvlistValue":{"values":[{"key":"user.name","value":{"stringValue":"swordfish"}},{"key":"kept","value":{"stringValue":"k"}}]}}]}}}]}}}]`
	piiResource = `{"resource":{` + piiAttributes + `},`
	piiScope    = `{"scope":{"name":"web",` + piiAttributes + `},`
	piiSpan     = `{"name":"visit","traceId":"01000000000000000000000000000000","spanId":"0100000000000000",` + piiAttributes
)

var piiRequests = map[string]string{
	"/v1/metrics": `{"resourceMetrics":[` + piiResource + `"scopeMetrics":[` + piiScope + `"metrics":[
		{"name":"visits","sum":{"aggregationTemporality":1,"isMonotonic":true,"dataPoints":[{"asInt":"1","startTimeUnixNano":"1","timeUnixNano":"1000000000",` + piiAttributes + `,
		"exemplars":[{"asInt":"1","timeUnixNano":"1000000000","filteredAttributes":[{"key":"user.id","value":{"stringValue":"swordfish"}},{"key":"color","value":{"stringValue":"red"}}]}]}]}}]}]}]}`,
	"/v1/logs": `{"resourceLogs":[` + piiResource + `"scopeLogs":[` + piiScope + `"logRecords":[
		{"body":{"stringValue":"login user.email=swordfish ok {\"user.id\": \"swordfish\"} shop=s1"},` + piiAttributes + `},
		{"body":{"kvlistValue":{"values":[{"key":"user.email","value":{"stringValue":"swordfish"}},{"key":"action","value":{"stringValue":"login"}}]}}}]}]}]}`,
	"/v1/traces": `{"resourceSpans":[` + piiResource + `"scopeSpans":[` + piiScope + `"spans":[` +
		piiSpan + `},` + piiSpan + `,"events":[{"name":"click",` + piiAttributes + `}]}]}]}]}`,
}

// TestPersonalData: user.* reaches neither the backend nor the local log of pii.yaml, from any place: attributes of every kind,
// maps and lists in them, bodies and exemplars. Everything else arrives.
func TestPersonalData(t *testing.T) {
	g := newGateway(t, "pii.yaml", impatient, `receivers: {metricsudp: {aggregation_interval: 1s}}`)
	g.start()
	send := func() {
		for path, content := range piiRequests {
			require.Equal(t, http.StatusOK, g.post(t, path, content), path)
		}
		g.sendDatagram(t, "udp.visits:1|c|#user.email:swordfish,shop:s1")
	}
	clean := func(where, content string, want ...string) {
		t.Helper()
		assert.NotContains(t, content, "swordfish", where)
		for _, kept := range append(want, `"shop"`) {
			assert.Contains(t, content, kept, where)
		}
	}
	send()
	eventually(t, "the line over UDP is logged", func() bool { return strings.Contains(g.logged(t, "metrics"), "udp.visits") })
	clean("metrics log", g.logged(t, "metrics"), `"red"`, `"deep.list.0.kept"`)
	clean("log log", g.logged(t, "logs"), `"action"`, "user.removed=1", "shop=s1")
	clean("trace log", g.logged(t, "traces"), `"click"`)

	r := startRecorder(t, g.backend)
	send()
	eventually(t, "everything arrives", func() bool {
		all := r.asJSON(t)
		return strings.Contains(all, "udp.visits") && strings.Contains(all, `"click"`) && strings.Contains(all, `"action"`)
	})
	clean("backend", r.asJSON(t), `"red"`, `"action"`, `"click"`)
	g.stop()
	assert.NotContains(t, g.output.String(), "swordfish")
}
