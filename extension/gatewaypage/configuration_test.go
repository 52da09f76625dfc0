package gatewaypage

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/extension/extensioncapabilities"
	"gopkg.in/yaml.v3"

	"github.com/otelcol-custom/otelcol-custom/extension/gatewaypage/internal/report"
)

// Every text that contains "hush" is a secret.
const withSecrets = `
receivers:
  otlp: {protocols: {grpc: {endpoint: "${env:OTLP_GRPC_ENDPOINT:-localhost:4317}", include_metadata: true}}}
extensions:
  bearertokenauth: {token: "${env:GATEWAYPAGE_TOKEN}"}
  bearertokenauth/plain: {tokens: [hush-1, hush-2], scheme: Bearer}
  bearertokenauth/default: {token: "${env:TOKEN:-hush-3}"}
processors:
  cardinalitylimit: {limits: [{name: metric, key: [resource.service.name, metric.name], max_series: 500}], tracker: {max_keys: 7}}
exporters:
  otlp_http: {endpoint: "https://user:hush-4@backend:4318/v1?token=hush-5", headers: {Authorization: "Basic hush-6", X-Org: hush-7}}
  otlp_http/list: {headers: [{name: X, value: hush-8}], tls: {key_pem: hush-9, insecure: false}}
  prometheusremotewrite: {endpoint: "http://hush-10@[::1]:9090/api", auth: {authenticator: basic}}
  kafka: {brokers: ["kafka://u:hush-11@k:9092"], auth: {sasl: {username: hush-12, password: hush-13}, tls: {tpm: {owner_auth: hush-21, auth: hush-22}}}}
  sql: {datasource: "host=db password=hush-23", query: "select 1; -- pwd = 'hush-24'"}
  otlp/env:
    endpoint: "${env:BACKEND:-https://u:hush-25/@hush-26@backend:4317/?hush-27}"
    tokens: [[hush-28, [hush-29]], {deep: {deeper: [hush-30, 4711002]}}]
    password: "${env:P}hush-31"
    passphrase: "${file:/run/hush-32}"
    note: ["Authorization: Bearer hush-33", "url?token=hush-34&x=y", "{\"api_key\": \"hush-35\"}", {secrets: {a: hush-36}}]
    token: "$${env:X} hush-37"
  fallbacklog:
    encryption: {key: hush-14}
    log: {directory: /var/lib/otelcol, max_disk_mib: 10}
    exporter:
      otlp_http:
        endpoint: https://u:hush-15@backend:4318
        compression: gzip
        timeout: 5s
        anything: hush-16
        nested: {deep: [{x: hush-17}, hush-18], number: 4711001}
        password: "${env:PASSWORD}"
        tls: {insecure: true, ca_file: /hush-19}
connectors: {forward/page: }
service:
  extensions: [bearertokenauth]
  telemetry: {metrics: {readers: [{periodic: {exporter: {otlp: {headers: {k: hush-20}}}}}]}}
  pipelines:
    metrics: {receivers: [otlp], processors: [cardinalitylimit], exporters: [forward/page, fallbacklog]}
    metrics/page: {receivers: [forward/page], exporters: [otlp_http]}
    traces: {receivers: [otlp], exporters: [fallbacklog]}
`

func TestTheBundleHasNoSecrets(t *testing.T) {
	var raw map[string]any
	require.NoError(t, yaml.Unmarshal([]byte(withSecrets), &raw))
	conf := confmap.NewFromStringMap(raw)
	p := started(t, localConfig(), componenttest.NewNopHost())
	require.NoError(t, p.NotifyConfigSnapshot(context.Background(), extensioncapabilities.NewConfigSnapshot(conf, conf)))
	r := ask(t, p.url+"/api/v1/bundle")
	require.Equal(t, http.StatusOK, r.status)
	require.Contains(t, r.header.Get("Content-Disposition"), "gateway.json")
	require.NotContains(t, r.body, "hush")
	require.NotContains(t, r.body, "471100")
	var b struct {
		State         report.Report
		History       map[string]any
		Versions      map[string]string
		Configuration map[string]any
	}
	require.NoError(t, json.Unmarshal([]byte(r.body), &b))
	require.Equal(t, report.APIVersion, b.State.APIVersion)
	require.Contains(t, b.History, "begins")
	require.NotEmpty(t, b.Versions["go"])
	// What helps is there, unexpanded.
	require.Contains(t, r.body, "${env:OTLP_GRPC_ENDPOINT:-localhost:4317}")
	require.Contains(t, r.body, "${env:GATEWAYPAGE_TOKEN}")
	require.Contains(t, r.body, "${env:PASSWORD}")
	require.Contains(t, r.body, `"https://[masked]@backend:4318"`)
	require.Contains(t, r.body, `"compression":"gzip"`)
	require.Contains(t, r.body, `"max_keys":7`)
	require.Contains(t, r.body, `"key":["resource.service.name","metric.name"]`)
	require.Contains(t, r.body, "/var/lib/otelcol")
	require.Contains(t, r.body, `"authenticator":"basic"`)
}

func TestPipelinesAreReadFromTheConfiguration(t *testing.T) {
	var raw map[string]any
	require.NoError(t, yaml.Unmarshal([]byte(withSecrets), &raw))
	found := pipelines(confmap.NewFromStringMap(raw))
	require.Equal(t, map[string]bool{"forward/page": true}, found.Connectors)
	require.ElementsMatch(t, []report.Pipeline{
		{Signal: "metrics", Receivers: []string{"otlp"}, Processors: []string{"cardinalitylimit"}, Exporters: []string{"forward/page", "fallbacklog"}},
		{Signal: "metrics", Receivers: []string{"forward/page"}, Exporters: []string{"otlp_http"}},
		{Signal: "traces", Receivers: []string{"otlp"}, Exporters: []string{"fallbacklog"}},
	}, found.All)
	require.Empty(t, pipelines(confmap.New()).All)
}

func TestTheBundleWithoutAConfiguration(t *testing.T) {
	p := started(t, localConfig(), componenttest.NewNopHost())
	require.NoError(t, p.NotifyConfigSnapshot(context.Background(), extensioncapabilities.NewConfigSnapshot(nil, nil)))
	require.Contains(t, ask(t, p.url+"/api/v1/bundle").body, `"configuration":null`)
}
