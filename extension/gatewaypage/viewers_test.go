package gatewaypage

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"

	"github.com/otelcol-custom/otelcol-custom/extension/gatewaypage/internal/report"
)

func TestEveryAnswerForbidsWhatThePageDoesNotDo(t *testing.T) {
	p := started(t, localConfig(), componenttest.NewNopHost())
	for _, path := range []string{"/", "/page.js", "/page.css", "/uplot/uplot.js", "/icon.svg", "/api/v1/state", "/api/v1/none", "/none", "/static/", "/../page.go"} {
		r := ask(t, p.url+path)
		for name, value := range headers {
			require.Equal(t, value, r.header.Get(name), "%s of %s", name, path)
		}
		require.Empty(t, r.header.Get("Access-Control-Allow-Origin"))
	}
	require.Equal(t, http.StatusNotFound, ask(t, p.url+"/uplot/").status)
	require.Equal(t, http.StatusNotFound, ask(t, p.url+"/api/v2/state").status)
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions, "BREW"} {
		r := ask(t, p.url+"/api/v1/state", func(r *http.Request) { r.Method = method })
		require.Equal(t, http.StatusMethodNotAllowed, r.status)
		require.Equal(t, "GET, HEAD", r.header.Get("Allow"))
	}
}

// A site whose name was made to lead here gets nothing: DNS rebinding.
func TestForeignHostsAreRefused(t *testing.T) {
	cfg := localConfig()
	cfg.AllowedHosts = []string{"gateway.example.org", "[fd00::1]"}
	p := started(t, cfg, componenttest.NewNopHost())
	for name, want := range map[string]int{
		"localhost": 200, "localhost:1234": 200, "LocalHost:80": 200, "127.0.0.1:8890": 200, "[::1]:8890": 200, "[::1]": 200,
		"gateway.example.org": 200, "gateway.example.org:8890": 200, "[fd00::1]:80": 200,
		"evil.example.org": 421, "evil.example.org:8890": 421, "localhost.evil.example.org": 421, "gateway.example.org.evil.com": 421,
		"127.0.0.1.evil.example.org:8890": 421, "10.0.0.1:8890": 421, "127.0.0.2:8890": 421, "0.0.0.0:8890": 421, "[::]:8890": 421, "localhost:80:90": 421,
	} {
		for _, path := range []string{"/", "/api/v1/state", "/page.js"} {
			require.Equal(t, want, ask(t, p.url+path, withHost(name)).status, "%s of %s", path, name)
		}
	}
	// HTTP/1.0 without a Host header
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "GET /api/v1/state HTTP/1.0\r\n\r\n")
	require.NoError(t, err)
	line, err := bufio.NewReader(conn).ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, line, "421")
}

func TestOnlyTheAPINeedsAToken(t *testing.T) {
	cfg, err := configOf(t, "{endpoint: 'localhost:0', auth: {authenticator: door}}")
	require.NoError(t, err)
	p := started(t, cfg, hostOf(map[component.ID]component.Component{component.MustNewID("door"): doorkeeper{token: "right"}}))
	require.Equal(t, http.StatusOK, ask(t, p.url+"/").status)
	require.Equal(t, http.StatusOK, ask(t, p.url+"/page.js").status)
	for _, path := range []string{"/api/v1/state", "/api/v1/history", "/api/v1/text", "/api/v1/bundle", "/api/", "/api/v1/none", "/api/v1/state?token=right"} {
		for _, change := range []func(*http.Request){
			func(*http.Request) {}, withToken("wrong"), withToken(""), withToken("righ"), withToken("right "), withToken(strings.Repeat("x", 10_000)),
			func(r *http.Request) { r.Header.Set("Authorization", "Basic cmlnaHQ6") },
		} {
			r := ask(t, p.url+path, change)
			if r.status == http.StatusOK { // a blank behind a value is not part of it
				require.Equal(t, "Bearer right ", func() string {
					q := httptest.NewRequest("GET", "/", nil)
					change(q)
					return q.Header.Get("Authorization")
				}())
				continue
			}
			require.Contains(t, []int{http.StatusUnauthorized, http.StatusNotFound}, r.status)
			require.NotContains(t, r.body, "secret reason")
			require.NotContains(t, r.body, "verdict")
		}
	}
	require.Equal(t, http.StatusOK, ask(t, p.url+"/api/v1/state", withToken("right")).status)
	require.Equal(t, http.StatusNotFound, ask(t, p.url+"/api/v1/none", withToken("right")).status)
	require.Equal(t, http.StatusUnauthorized, ask(t, p.url+"/x/..//api/v1/state").status) // the client follows the redirect
}

// A viewer that asks and does not read delays neither the others nor the shutdown.
func TestAViewerThatDoesNotReadDelaysNothing(t *testing.T) {
	p := newTestPage(t, localConfig())
	require.NoError(t, p.Start(t.Context(), componenttest.NewNopHost()))
	for range 10 {
		conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
		require.NoError(t, err)
		defer conn.Close()
		for range 100 { // pipelined, until buffers are full
			_ = conn.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
			if _, err := io.WriteString(conn, "GET /uplot/uplot.js HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
				break
			}
		}
	}
	require.Equal(t, report.LevelOK, stateOf(t, p).Verdict.Level)
	begun := time.Now()
	require.NoError(t, p.Shutdown(t.Context()))
	require.Less(t, time.Since(begun), shutdownGrace+5*time.Second)
}

func TestConnectionsAreBounded(t *testing.T) {
	cfg := localConfig()
	cfg.MaxConnections = 2
	p := started(t, cfg, componenttest.NewNopHost())
	address := strings.TrimPrefix(p.url, "http://")
	var open []net.Conn
	for range 3 {
		conn, err := net.Dial("tcp", address)
		require.NoError(t, err)
		defer conn.Close()
		_, err = io.WriteString(conn, "GET /api/v1/state HTTP/1.1\r\nHost: localhost\r\n\r\n")
		require.NoError(t, err)
		open = append(open, conn)
	}
	for _, conn := range open[:2] {
		_, err := bufio.NewReader(conn).ReadString('\n')
		require.NoError(t, err)
	}
	require.NoError(t, open[2].SetReadDeadline(time.Now().Add(200*time.Millisecond)))
	_, err := open[2].Read(make([]byte, 1))
	require.Error(t, err) // it waits for its turn
	require.NoError(t, open[0].Close())
	require.NoError(t, open[2].SetReadDeadline(time.Now().Add(10*time.Second)))
	_, err = open[2].Read(make([]byte, 1))
	require.NoError(t, err)
}

// raw sends bytes and returns the first line of the answer, empty if the connection was closed without one.
func raw(t *testing.T, p *page, request string) string {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, request)
	require.NoError(t, err)
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(20*time.Second)))
	line, err := bufio.NewReader(conn).ReadString('\n')
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
	return strings.TrimSpace(line)
}

// No spelling of a path leads to the API without a token.
func TestPathsDoNotLeadAroundTheToken(t *testing.T) {
	cfg, err := configOf(t, "{endpoint: 'localhost:0', auth: {authenticator: door}}")
	require.NoError(t, err)
	p := started(t, cfg, hostOf(map[component.ID]component.Component{component.MustNewID("door"): doorkeeper{token: "right"}}))
	for target, want := range map[string]string{
		"/api/v1/state":                        "401",
		"/%61pi/v1/state":                      "401",
		"/api/v1/./state":                      "307", // to the clean path, which needs a token
		"/page.css/../api/v1/state":            "307",
		"//api/v1/state":                       "307",
		"/api/../api/v1/state":                 "307",
		"/api":                                 "307",
		"/api%2fv1/state":                      "404",
		"/api/v1%2fstate":                      "401",
		"/API/v1/state":                        "404",
		"/uplot/..%2fapi/v1/state":             "404",
		"/uplot/%2e%2e/%2e%2e/page.go":         "404",
		"http://localhost/api/v1/state":        "401",
		"http://evil.example.org/api/v1/state": "421",
		"*":                                    "400",
	} {
		line := raw(t, p, "GET "+target+" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
		require.Contains(t, line, " "+want+" ", target)
	}
	for _, request := range []string{
		"GET /api/v1/state HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
		"GET /api/v1/state HTTP/1.1\r\n\r\n",
		"GET /api/v1/state HTTP/1.1\r\nHost: local host\r\n\r\n",
		"GET /api/v1/state HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /",
		"GET /api/v1/state HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
		"GET /api/v1/state HTTP/9.9\r\nHost: localhost\r\n\r\n",
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	} {
		require.NotContains(t, raw(t, p, request), " 200 ", request)
	}
}

// A request may not begin with more than a usual one does: each open connection could keep it in memory.
func TestHeadersAreBounded(t *testing.T) {
	p := started(t, localConfig(), componenttest.NewNopHost())
	line := raw(t, p, "GET /api/v1/state HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "+strings.Repeat("x", 30_000)+"\r\n\r\n")
	require.Contains(t, line, " 431 ")
	require.Equal(t, http.StatusOK, ask(t, p.url+"/api/v1/state", withToken(strings.Repeat("x", 10_000))).status)
}

func TestHeadHasNoBody(t *testing.T) {
	p := started(t, localConfig(), componenttest.NewNopHost())
	for _, path := range []string{"/", "/page.js", "/api/v1/state", "/api/v1/text", "/api/v1/history", "/api/v1/bundle"} {
		r := ask(t, p.url+path, func(r *http.Request) { r.Method = http.MethodHead })
		require.Equal(t, http.StatusOK, r.status)
		require.Empty(t, r.body)
	}
}

// A client that sends its request byte by byte, or none, is cut off: it occupies one of max_connections.
func TestSlowRequestsAreCutOff(t *testing.T) {
	cfg := localConfig()
	cfg.MaxConnections = 2
	cfg.ReadHeaderTimeout, cfg.ReadTimeout, cfg.IdleTimeout = 50*time.Millisecond, 50*time.Millisecond, 50*time.Millisecond
	p := started(t, cfg, componenttest.NewNopHost())
	for _, begin := range []string{"", "G", "GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: "} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
		require.NoError(t, err)
		defer conn.Close()
		_, err = io.WriteString(conn, begin)
		require.NoError(t, err)
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(20*time.Second)))
		_, err = io.Copy(io.Discard, conn) // until the page closes it
		require.NoError(t, err)
	}
	require.Equal(t, http.StatusOK, ask(t, p.url+"/").status)
}

// Viewers that have all connections of the page leave the probes alone.
func TestProbesDoNotWaitForViewers(t *testing.T) {
	cfg := localConfig()
	cfg.MaxConnections = 1
	cfg.Probes.Endpoint = "localhost:0"
	p := started(t, cfg, componenttest.NewNopHost())
	for _, occupied := range []string{strings.TrimPrefix(p.url, "http://"), p.probes} {
		conn, err := net.Dial("tcp", occupied)
		require.NoError(t, err)
		defer conn.Close()
	}
	require.Equal(t, http.StatusOK, ask(t, "http://"+p.probes+"/livez").status)
	require.Equal(t, http.StatusOK, ask(t, "http://"+p.probes+"/readyz").status)
}

// The shutdown does not wait for viewers that go on asking, and none of them gets a broken answer.
func TestShutdownWhileViewersAsk(t *testing.T) {
	p := newTestPage(t, localConfig())
	require.NoError(t, p.Start(t.Context(), componenttest.NewNopHost()))
	require.NoError(t, p.Ready())
	var viewers sync.WaitGroup
	var answered sync.WaitGroup
	answered.Add(20)
	for range 20 {
		viewers.Go(func() {
			client := http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for n := 0; ; n++ {
				response, err := client.Get(p.url + "/api/v1/state")
				if err != nil {
					return // the page has gone
				}
				var state report.Report
				err = json.NewDecoder(response.Body).Decode(&state)
				_ = response.Body.Close()
				if err != nil {
					return
				}
				if n == 0 {
					answered.Done()
				}
			}
		})
	}
	answered.Wait()
	begun := time.Now()
	require.NoError(t, p.Shutdown(context.Background()))
	require.Less(t, time.Since(begun), shutdownGrace+5*time.Second)
	viewers.Wait()
}
