package gatewaypage

import (
	"io"
	"net/http"
	"time"
)

// maxProbes bounds the open connections. Viewers do not count here: a kubelet that has to wait for them ends the gateway.
const maxProbes = 256

// probeServer answers the kubelet, which has no token and asks the pod's address: /livez while the process serves, /readyz
// while new data is safe, falling back to the local log included.
func (p *page) probeServer() *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })
	mux.HandleFunc("GET /readyz", p.readyz)
	server := &http.Server{
		Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 5 * time.Second, WriteTimeout: 5 * time.Second,
		MaxHeaderBytes: maxHeaderBytes,
	}
	server.SetKeepAlivesEnabled(false) // each probe has a connection of its own, and none is left to wait for
	return server
}

func (p *page) readyz(w http.ResponseWriter, _ *http.Request) {
	// Reasons may name endpoints and paths, so they are on the page alone.
	switch {
	case !p.ready.Load():
		http.Error(w, "the pipelines are not running", http.StatusServiceUnavailable)
	case !p.answer.Load().report.Verdict.Ready:
		http.Error(w, "new data would be refused: see the gateway page", http.StatusServiceUnavailable)
	default:
		_, _ = io.WriteString(w, "ready\n")
	}
}
