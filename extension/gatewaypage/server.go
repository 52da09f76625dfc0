package gatewaypage

import (
	"context"
	"net"
	"net/http"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension/extensionauth"

	"github.com/otelcol-custom/otelcol-custom/extension/gatewaypage/internal/web"
)

// handler serves the page to everybody and /api/ to those whom the authenticator knows.
func (p *page) handler(ctx context.Context, host component.Host) (http.Handler, error) {
	api := http.NewServeMux()
	api.HandleFunc("/api/v1/state", p.state)
	api.HandleFunc("/api/v1/history", p.history)
	api.HandleFunc("/api/v1/text", p.text)
	api.HandleFunc("/api/v1/bundle", p.bundle)
	var behind http.Handler = api
	if p.cfg.Auth.HasValue() {
		authenticator, err := p.cfg.Auth.Get().Config.GetServerAuthenticator(ctx, host.GetExtensions())
		if err != nil {
			return nil, err
		}
		behind = authenticated(authenticator, api)
	}
	all := http.NewServeMux()
	all.Handle("/", web.Handler())
	all.Handle("/api/", behind)
	return p.guarded(all), nil
}

// authenticated passes requests that the authenticator accepts. Its reasons stay here.
func authenticated(authenticator extensionauth.Server, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, err := authenticator.Authenticate(r.Context(), r.Header)
		if err != nil {
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "a valid token is needed", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// headers forbid everything that the page does not do itself.
var headers = map[string]string{
	"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
	"Cache-Control":                "no-store",
	"X-Content-Type-Options":       "nosniff",
	"Referrer-Policy":              "no-referrer",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Cross-Origin-Opener-Policy":   "same-origin",
}

// guarded refuses other methods than GET and HEAD, and requests whose Host header names another site, which a page of that
// site may have made by letting its own name lead here.
func (p *page) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, value := range headers {
			w.Header().Set(name, value)
		}
		switch {
		case !p.allowsHost(r.Host):
			http.Error(w, "this name is not in allowed_hosts", http.StatusMisdirectedRequest)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "only GET and HEAD are answered", http.StatusMethodNotAllowed)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// localHosts lead to this machine, or to where kubectl port-forward leads.
var localHosts = []string{"localhost", "127.0.0.1", "[::1]"}

// allowsHost reports whether a Host header has an allowed name, on any port.
func (p *page) allowsHost(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
		if strings.Contains(h, ":") {
			name = "[" + h + "]"
		}
	}
	same := func(allowed string) bool { return strings.EqualFold(allowed, name) }
	return slices.ContainsFunc(localHosts, same) || slices.ContainsFunc(p.cfg.AllowedHosts, same)
}
