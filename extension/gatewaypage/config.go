package gatewaypage

import (
	"errors"
	"math"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/confignet"

	"github.com/otelcol-custom/otelcol-custom/extension/gatewaypage/internal/report"
	"github.com/otelcol-custom/otelcol-custom/internal/check"
)

// Config of the extension. README.md describes the keys.
type Config struct {
	// ServerConfig is that of the page. Its auth applies to /api/ alone.
	confighttp.ServerConfig `mapstructure:",squash"`
	// AllowedHosts are names under which the page may be opened, beside localhost, 127.0.0.1 and [::1].
	AllowedHosts []string `mapstructure:"allowed_hosts"`
	// MaxConnections bounds what viewers may open at the same time.
	MaxConnections int `mapstructure:"max_connections"`
	// SelfMetrics is the URL of the gateway's own metrics, empty to read none.
	SelfMetrics string `mapstructure:"self_metrics"`
	// Examples of label values are masked, plain or off.
	Examples string `mapstructure:"examples"`
	// CostPer1000Series is the price of 1,000 series, in any currency. 0 shows no price.
	CostPer1000Series float64 `mapstructure:"cost_per_1000_series"`
	// Instance is the gateway's name, by default that of the host.
	Instance string `mapstructure:"instance"`
	// Peers are the URLs of other gateways' pages.
	Peers []string `mapstructure:"peers"`
	// Probes are served without authentication, if an endpoint is set.
	Probes ProbesConfig `mapstructure:"probes"`
	// prevent unkeyed literal initialization
	_ struct{}
}

// ProbesConfig is where /livez and /readyz are served.
type ProbesConfig struct {
	Endpoint string `mapstructure:"endpoint"`
	// prevent unkeyed literal initialization
	_ struct{}
}

// maxConnectionsAllowed bounds max_connections: each may keep an answer in memory.
const maxConnectionsAllowed = 1024

func createDefaultConfig() component.Config {
	server := confighttp.NewDefaultServerConfig()
	server.NetAddr.Endpoint = "localhost:8890"
	server.ReadHeaderTimeout = 5 * time.Second
	server.ReadTimeout = 10 * time.Second
	server.WriteTimeout = 10 * time.Second
	server.IdleTimeout = 30 * time.Second
	server.MaxRequestBodySize = 1024 // no request has a body
	return &Config{ServerConfig: server, MaxConnections: 64, Examples: string(report.ExamplesMasked)}
}

// errCause says why a page that others reach needs authentication.
var errCause = errors.New("the page names services, metrics and labels")

// Validate reports every field that is wrong.
func (c *Config) Validate() error {
	var e check.Errors
	c.checkServer(&e)
	for i, host := range c.AllowedHosts {
		e.That(isHost(host), check.Item("allowed_hosts", i), "a host name or address without port", host)
	}
	check.Range(&e, "max_connections", c.MaxConnections, 1, maxConnectionsAllowed)
	if c.SelfMetrics != "" {
		e.That(isURL(c.SelfMetrics), "self_metrics", "an http or https URL without credentials", redacted(c.SelfMetrics))
	}
	check.OneOf(&e, "examples", report.Examples(c.Examples), report.ExamplesMasked, report.ExamplesPlain, report.ExamplesOff)
	e.That(c.CostPer1000Series >= 0 && c.CostPer1000Series < math.MaxInt32, "cost_per_1000_series", "from 0 to 2^31", c.CostPer1000Series)
	for i, peer := range c.Peers {
		e.That(isURL(peer), check.Item("peers", i), "an http or https URL without credentials", redacted(peer))
	}
	if c.Probes.Endpoint != "" {
		_, _, err := net.SplitHostPort(c.Probes.Endpoint)
		e.That(err == nil, "probes::endpoint", "host:port", c.Probes.Endpoint)
		e.That(c.Probes.Endpoint != c.NetAddr.Endpoint || strings.HasSuffix(c.Probes.Endpoint, ":0"), "probes::endpoint", "another address than endpoint", c.Probes.Endpoint)
	}
	return e.Err()
}

func (c *Config) checkServer(e *check.Errors) {
	switch c.NetAddr.Transport {
	case confignet.TransportTypeTCP, confignet.TransportTypeTCP4, confignet.TransportTypeTCP6:
	default:
		e.That(false, "transport", "one of tcp, tcp4, tcp6", string(c.NetAddr.Transport))
	}
	host, _, err := net.SplitHostPort(c.NetAddr.Endpoint)
	e.That(err == nil, "endpoint", "host:port", c.NetAddr.Endpoint)
	if err == nil && !isLoopback(host) && !c.Auth.HasValue() {
		e.Wrap("endpoint", &check.Error{
			Path: "auth", Must: "set for an address that others reach", Got: c.NetAddr.Endpoint, Cause: errCause,
		})
	}
	// 0 would wait forever for a slow client.
	check.Positive(e, "read_timeout", c.ReadTimeout)
	check.Positive(e, "read_header_timeout", c.ReadHeaderTimeout)
	check.Positive(e, "write_timeout", c.WriteTimeout)
	check.Positive(e, "idle_timeout", c.IdleTimeout)
	e.That(!c.CORS.HasValue(), "cors", "absent: no other site may read the page", "a value")
	if c.Auth.HasValue() {
		e.That(len(c.Auth.Get().RequestParameters) == 0, "auth::request_params", "absent: a token in a URL is logged and kept in histories",
			strings.Join(c.Auth.Get().RequestParameters, ", "))
	}
}

// isLoopback reports whether only this machine reaches a host. Names other than localhost may lead anywhere.
func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// isHost reports whether a text is a name or an address as it stands in a Host header, the port aside.
func isHost(s string) bool {
	u, err := url.Parse("http://" + s + "/")
	if err != nil || u.Host == "" || u.Host != s || u.User != nil {
		return false
	}
	return u.Port() == "" && !strings.HasSuffix(s, ":")
}

func isURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil
}

// redacted is a URL without its password, for messages.
func redacted(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return "a text that is no URL"
	}
	return u.Redacted()
}
