package doctor

import (
	"net"
	"slices"
	"strings"
)

// openListeners finds listeners on all interfaces without authentication.
func openListeners(c *config) []Finding {
	var out []Finding
	report := func(where, endpoint, fix string) {
		if isEverywhere(endpoint) {
			out = append(out, Finding{where, "anybody who reaches " + endpoint + " is served: no TLS and no authentication", fix})
		}
	}
	for _, id := range c.ids("receivers", "otlp") {
		protocols := c.root.sub("receivers").sub(id).sub("protocols")
		for _, protocol := range protocols.keys() {
			s := protocols.sub(protocol)
			if len(s.sub("tls")) == 0 && len(s.sub("auth")) == 0 {
				report("receivers::"+id+"::protocols::"+protocol+"::endpoint", s.text("endpoint", ""), "set tls and auth (configs/mtls.yaml), or bind one address")
			}
		}
	}
	for _, id := range c.ids("receivers", "metricsudp") {
		s := c.root.sub("receivers").sub(id)
		if !strings.HasPrefix(s.text("transport", "udp"), "unix") && len(s.list("allowed_cidrs")) == 0 {
			report("receivers::"+id+"::endpoint", s.text("endpoint", ""), "UDP has no authentication: set allowed_cidrs, bind one address, or use transport: unixgram")
		}
	}
	for _, id := range c.ids("exporters", "prometheus") {
		if s := c.root.sub("exporters").sub(id); len(s.sub("tls")) == 0 && len(s.sub("auth")) == 0 {
			report("exporters::"+id+"::endpoint", s.text("endpoint", ""), "set tls, or bind one address")
		}
	}
	for _, id := range c.ids("extensions", "pprof", "zpages") {
		report("extensions::"+id+"::endpoint", c.root.sub("extensions").sub(id).text("endpoint", ""), "bind localhost: these pages show the inside of the process")
	}
	return out
}

// compressedRequests finds OTLP listeners over HTTP that accept zstd. A request of 400 bytes can make their decoder
// allocate 512 MiB. For gRPC the distribution itself bounds the allocation.
func compressedRequests(c *config) []Finding {
	var out []Finding
	for _, id := range c.ids("receivers", "otlp") {
		protocols := c.root.sub("receivers").sub(id).sub("protocols")
		if !protocols.has("http") {
			continue
		}
		s := protocols.sub("http")
		if accepted := s.list("compression_algorithms"); len(accepted) == 0 || slices.Contains(accepted, "zstd") {
			out = append(out, Finding{
				"receivers::" + id + "::protocols::http::compression_algorithms",
				"zstd is accepted: a request of 400 bytes can make the gateway allocate 512 MiB",
				`list all but zstd: ["", gzip, zlib, deflate, snappy, x-snappy-framed, lz4]`,
			})
		}
	}
	return out
}

// isEverywhere reports whether an address means all interfaces. Without an address the component listens on localhost.
func isEverywhere(endpoint string) bool {
	if endpoint == "" {
		return false
	}
	host, _, err := net.SplitHostPort(endpoint)
	if err != nil {
		return false
	}
	if host == "" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsUnspecified()
}
