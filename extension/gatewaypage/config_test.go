package gatewaypage

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"gopkg.in/yaml.v3"
)

func configOf(t *testing.T, text string) (*Config, error) {
	t.Helper()
	var raw map[string]any
	require.NoError(t, yaml.Unmarshal([]byte(text), &raw))
	cfg := createDefaultConfig().(*Config)
	if err := confmap.NewFromStringMap(raw).Unmarshal(cfg); err != nil {
		return nil, err
	}
	return cfg, cfg.Validate()
}

func TestGoodConfigurations(t *testing.T) {
	for _, text := range []string{
		"{}",
		"endpoint: localhost:0",
		"endpoint: LOCALHOST:1",
		"endpoint: 127.9.9.9:8890",
		"endpoint: '[::1]:8890'",
		"endpoint: '[::ffff:127.0.0.1]:8890'",
		"{endpoint: '0.0.0.0:8890', auth: {authenticator: bearertokenauth}}",
		"{allowed_hosts: [gateway.example.org, '10.1.2.3', '[fd00::1]']}",
		"{probes: {endpoint: ':13134'}}", // the kubelet asks any address
		"{self_metrics: 'http://localhost:8888/metrics', peers: ['https://gateway-1:8890/'], examples: 'off', cost_per_1000_series: 6.5}",
		"{max_connections: 1}",
	} {
		_, err := configOf(t, text)
		require.NoError(t, err, text)
	}
}

func TestBadConfigurationsAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"endpoint: 0.0.0.0:8890":                            `auth: must be set for an address that others reach (got "0.0.0.0:8890")`,
		"endpoint: ':8890'":                                 "auth: must be set for an address that others reach",
		"endpoint: 'gateway:8890'":                          "auth: must be set for an address that others reach",
		"endpoint: '[::]:8890'":                             "auth: must be set for an address that others reach",
		"endpoint: '128.0.0.1:8890'":                        "auth: must be set for an address that others reach",
		"endpoint: localhost.example.org:8890":              "auth: must be set for an address that others reach",
		"endpoint: localhost":                               "endpoint: must be host:port",
		"transport: unix":                                   `transport: must be one of tcp, tcp4, tcp6 (got "unix")`,
		"allowed_hosts: ['gateway:8890']":                   `allowed_hosts::0: must be a host name or address without port (got "gateway:8890")`,
		"allowed_hosts: [a, '']":                            "allowed_hosts::1: must be",
		"allowed_hosts: ['http://a']":                       "allowed_hosts::0: must be",
		"max_connections: 0":                                "max_connections: must be from 1 to 1024 (got 0)",
		"max_connections: 1000000":                          "max_connections: must be from 1 to 1024 (got 1000000)",
		"self_metrics: localhost:8888":                      "self_metrics: must be an http or https URL without credentials",
		"self_metrics: 'http://u:topsecret@h/m'":            "self_metrics: must be an http or https URL without credentials",
		"examples: some":                                    `examples: must be one of masked, plain, off (got "some")`,
		"cost_per_1000_series: -1":                          "cost_per_1000_series: must be from 0 to 2^31 (got -1)",
		"cost_per_1000_series: .nan":                        "cost_per_1000_series: must be",
		"peers: ['javascript:alert(1)']":                    "peers::0: must be an http or https URL without credentials",
		"probes: {endpoint: nowhere}":                       "probes::endpoint: must be host:port",
		"probes: {endpoint: 'localhost:8890'}":              "probes::endpoint: must be another address than endpoint",
		"read_timeout: 0s":                                  "read_timeout: must be positive",
		"read_header_timeout: -1s":                          "read_header_timeout: must be positive",
		"write_timeout: 0s":                                 "write_timeout: must be positive",
		"idle_timeout: 0s":                                  "idle_timeout: must be positive",
		"cors: {allowed_origins: ['*']}":                    "cors: must be absent",
		"auth: {authenticator: a, request_params: [token]}": "auth::request_params: must be absent",
	} {
		_, err := configOf(t, text)
		require.ErrorContains(t, err, want, text)
		require.NotContains(t, err.Error(), "topsecret")
	}
	_, err := configOf(t, "endpiont: x")
	require.Error(t, err)
}

func TestTheAuthenticatorStartsFirst(t *testing.T) {
	cfg, err := configOf(t, "auth: {authenticator: bearertokenauth/page}")
	require.NoError(t, err)
	p := newTestPage(t, cfg)
	require.Equal(t, []component.ID{component.MustNewIDWithName("bearertokenauth", "page")}, p.Dependencies())
	require.Empty(t, newTestPage(t, createDefaultConfig().(*Config)).Dependencies())
}
