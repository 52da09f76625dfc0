package doctor

import (
	"net"
	"net/netip"
	"slices"
	"strings"
)

// openListeners finds listeners on all interfaces without authentication.
func openListeners(c *config) []Finding {
	var out []Finding
	report := func(where string, server settings, fix string) {
		endpoint := server.text("endpoint", "")
		if isEverywhere(endpoint) && len(server.sub("tls")) == 0 && len(server.sub("auth")) == 0 {
			out = append(out, Finding{where + "::endpoint", "anybody who reaches " + endpoint + " is served: no TLS and no authentication", fix})
		}
	}
	for _, id := range c.ids("receivers", "otlp") {
		protocols := c.root.sub("receivers").sub(id).sub("protocols")
		for _, protocol := range protocols.keys() {
			report("receivers::"+id+"::protocols::"+protocol, protocols.sub(protocol), "set tls and auth (configs/mtls.yaml), or bind one address")
		}
	}
	for _, id := range c.ids("receivers", "metricsudp") {
		s := c.root.sub("receivers").sub(id)
		transport := s.text("transport", "udp")
		switch {
		case strings.HasPrefix(transport, "unix") || restrictsSources(s.list("allowed_cidrs")):
		case strings.HasPrefix(transport, "tcp"):
			report("receivers::"+id, s, "set tls or allowed_cidrs, bind one address, or use transport: unix")
		default:
			report("receivers::"+id, s, "UDP has no authentication: set allowed_cidrs, bind one address, or use transport: unixgram")
		}
	}
	for _, id := range c.ids("receivers", "prometheus") {
		if api := c.root.sub("receivers").sub(id).sub("api_server"); api.isTrue("enabled") {
			report("receivers::"+id+"::api_server::server_config", api.sub("server_config"), "set tls, or bind localhost")
		}
	}
	for _, id := range c.ids("exporters", "prometheus") {
		report("exporters::"+id, c.root.sub("exporters").sub(id), "set tls, or bind one address")
	}
	for _, id := range c.ids("extensions", "pprof", "zpages") {
		report("extensions::"+id, c.root.sub("extensions").sub(id), "bind localhost: these pages show the inside of the process")
	}
	return out
}

// restrictsSources reports whether there are ranges and none of them covers all IPv4 or all IPv6 addresses.
func restrictsSources(ranges []string) bool {
	return len(ranges) > 0 && !slices.ContainsFunc(ranges, func(text string) bool {
		r, err := netip.ParsePrefix(text)
		return err == nil && (r.Bits() == 0 || r.Addr().Is4In6() && r.Bits() <= 96)
	})
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
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.WithZone("").Unmap().IsUnspecified()
}
