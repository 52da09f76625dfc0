package doctor_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-custom/otelcol-custom/internal/doctor"
)

func parse(t *testing.T, text string) map[string]any {
	t.Helper()
	retrieved, err := confmap.NewRetrievedFromYAML([]byte(text))
	require.NoError(t, err)
	conf, err := retrieved.AsConf()
	require.NoError(t, err)
	return conf.ToStringMap()
}

// healthy is a configuration without traps. Test cases are merged over it.
const healthy = `
receivers: {otlp: {protocols: {grpc: {endpoint: "localhost:4317"}}}, metricsudp: {endpoint: "localhost:8125", temporality: cumulative}}
processors:
  memory_limiter: {check_interval: 1s, limit_mib: 400}
  delta_to_cumulative:
  cardinalitylimit:
    limits:
      - {name: metric, key: [resource.service.name, metric.name], max_series: 500}
      - {name: total, key: [], count: streams, max_series: 100000, action: drop}
connectors: {forward: {}}
exporters:
  fallbacklog: {exporter: {otlp_grpc: {endpoint: "b:4317"}}, log: {directory: /data/log, max_disk_mib: 1024}, sending_queue: {wait_for_result: true, batch: {min_size: 512, max_size: 512}}}
  prometheus: {endpoint: "localhost:8889", translation_strategy: UnderscoreEscapingWithSuffixes}
service:
  pipelines:
    metrics: {receivers: [otlp, metricsudp], processors: [memory_limiter, cardinalitylimit], exporters: [forward, fallbacklog]}
    metrics/page: {receivers: [forward], processors: [delta_to_cumulative], exporters: [prometheus]}
`

func disk(mib uint64, kind string) doctor.Volumes {
	return func(string) (doctor.Volume, error) { return doctor.Volume{Type: kind, Bytes: mib << 20}, nil }
}

func merged(t *testing.T, overlay string) map[string]any {
	t.Helper()
	conf := confmap.NewFromStringMap(parse(t, healthy))
	require.NoError(t, conf.Merge(confmap.NewFromStringMap(parse(t, overlay))))
	return conf.ToStringMap()
}

func TestHealthyConfigurationHasNoFindings(t *testing.T) {
	assert.Empty(t, doctor.Check(parse(t, healthy), disk(4096, "ext4")))
	assert.Empty(t, doctor.Check(parse(t, "{}"), disk(4096, "ext4")))
}

// Check finds each trap at its path, and nothing else.
func TestTraps(t *testing.T) {
	for name, c := range map[string]struct{ overlay, where, problem string }{
		"batch before the log": {
			`{processors: {batch: {}}, service: {pipelines: {metrics: {processors: [memory_limiter, batch, cardinalitylimit]}}}}`,
			"service::pipelines::metrics::processors::batch", "acknowledges",
		},
		"tail sampling before the log, through a connector": {
			`{processors: {tail_sampling/x: {}}, service: {pipelines: {
				traces: {receivers: [otlp], processors: [memory_limiter, tail_sampling/x], exporters: [forward]}, traces/out: {receivers: [forward], exporters: [fallbacklog]}}}}`,
			"service::pipelines::traces::processors::tail_sampling/x", "acknowledges",
		},
		"interval before the log": {
			`{processors: {interval: {}}, service: {pipelines: {metrics: {processors: [memory_limiter, interval, cardinalitylimit]}}}}`,
			"service::pipelines::metrics::processors::interval", "acknowledges",
		},
		"grouping before the log": {
			`{processors: {groupbyattrs: {}}, service: {pipelines: {metrics: {processors: [memory_limiter, groupbyattrs, cardinalitylimit]}}}}`,
			"service::pipelines::metrics::processors::groupbyattrs", "merges the resources of one request only",
		},
		"queue that does not wait": {
			`{exporters: {fallbacklog: {sending_queue: {wait_for_result: false}}}}`,
			"exporters::fallbacklog::sending_queue", "acknowledges",
		},
		"queue with its defaults": {
			`{exporters: {fallbacklog/b: {log: {max_disk_mib: 1, min_free_disk_mib: 1}, sending_queue: }}, service: {pipelines: {metrics: {exporters: [forward, fallbacklog/b]}}}}`,
			"exporters::fallbacklog/b::sending_queue", "acknowledges",
		},
		"memory limiter second": {
			`{service: {pipelines: {metrics: {processors: [cardinalitylimit, memory_limiter]}}}}`,
			"service::pipelines::metrics::processors", "not first",
		},
		"no memory limiter": {
			`{processors: {memory_limiter: {}}, service: {pipelines: {metrics: {processors: [memory_limiter, cardinalitylimit]}, logs: {receivers: [otlp], exporters: [fallbacklog]}}}}`,
			"service::pipelines::logs::processors", "no memory_limiter",
		},
		"unused processor": {
			`{processors: {transform/pii: {}}}`,
			"processors::transform/pii", "no pipeline",
		},
		"large batch": {
			`{exporters: {fallbacklog: {sending_queue: {batch: {max_size: 10001}}}}}`,
			"exporters::fallbacklog::sending_queue::batch::max_size", "10001",
		},
		"large batch, with an exponent": {
			`{exporters: {fallbacklog: {sending_queue: {batch: {max_size: 1e6}}}}}`,
			"exporters::fallbacklog::sending_queue::batch::max_size", "1000000",
		},
		"negative batch": {
			`{exporters: {fallbacklog: {sending_queue: {batch: {min_size: -1}}}}}`,
			"exporters::fallbacklog::sending_queue::batch::min_size", "-1",
		},
		"deltas on the page": {
			`{processors: {resource: {}}, service: {pipelines: {metrics: {receivers: [otlp]}, metrics/page: {processors: [resource]}, metrics/keep: {receivers: [metricsudp], processors: [memory_limiter, delta_to_cumulative], exporters: [fallbacklog]}}}}`,
			"service::pipelines::metrics/page", "otlp may send deltas",
		},
		"deltas of metricsudp": {
			`{receivers: {metricsudp: {temporality: delta}}, service: {pipelines: {metrics/direct: {receivers: [metricsudp], processors: [memory_limiter], exporters: [prometheus]}}}}`,
			"service::pipelines::metrics/direct", "metricsudp may send deltas",
		},
		"deltas of metricsudp in a wrapped exporter": {
			`{receivers: {metricsudp: {temporality: delta}}, exporters: {fallbacklog/rw: {exporter: {prometheusremotewrite: {}}, log: {max_disk_mib: 1}, dead_letter: {enabled: false}}}, service: {pipelines: {metrics/direct: {receivers: [metricsudp], processors: [memory_limiter], exporters: [fallbacklog/rw]}}}}`,
			"service::pipelines::metrics/direct", "metricsudp may send deltas",
		},
		"deltas of a processor": {
			`{processors: {cumulativetodelta/x: {}}, service: {pipelines: {metrics/page: {processors: [delta_to_cumulative, cumulativetodelta/x]}}}}`,
			"service::pipelines::metrics/page", "cumulativetodelta/x may send deltas",
		},
		"deltas of a processor before a connector": {
			`{receivers: {prometheus: {}}, processors: {cumulative_to_delta: {}, resource: {}}, service: {pipelines: {
				metrics: {receivers: [prometheus], processors: [memory_limiter, cardinalitylimit, cumulative_to_delta]}, metrics/page: {processors: [resource]}, metrics/keep: {receivers: [otlp], processors: [memory_limiter, delta_to_cumulative], exporters: [fallbacklog]}}}}`,
			"service::pipelines::metrics/page", "cumulative_to_delta may send deltas",
		},
		"names without type": {
			`{exporters: {prometheus: {translation_strategy: UnderscoreEscapingWithoutSuffixes}}}`,
			"exporters::prometheus", "only one of them is stored",
		},
		"names without type, by a wrapped exporter": {
			`{exporters: {fallbacklog: {exporter: {prometheus_remote_write: {translation_strategy: NoTranslation}}}}, service: {pipelines: {metrics: {processors: [memory_limiter, cardinalitylimit, delta_to_cumulative]}}}}`,
			"exporters::fallbacklog::exporter::prometheus_remote_write", "only one of them is stored",
		},
		"names without type, by the older key": {
			`{exporters: {prometheus: {translation_strategy: "", add_metric_suffixes: false}}}`,
			"exporters::prometheus", "only one of them is stored",
		},
		"senders under one label": {
			`{receivers: {metricsudp: {origin: container}}}`,
			"exporters::prometheus::resource_to_telemetry_conversion", "metricsudp has a series for each sender",
		},
		"senders under one label, by compatibility": {
			`{receivers: {metricsudp: {compatibility: statsd, transport: tcp}}, exporters: {prometheus: {resource_to_telemetry_conversion: {enabled: false}}}}`,
			"exporters::prometheus::resource_to_telemetry_conversion", "metricsudp has a series for each sender",
		},
		"open OTLP": {
			`{receivers: {otlp: {protocols: {grpc: {endpoint: "0.0.0.0:4317"}}}}}`,
			"receivers::otlp::protocols::grpc::endpoint", "0.0.0.0:4317",
		},
		"open OTLP over IPv6": {
			`{receivers: {otlp: {protocols: {grpc: {endpoint: "[::]:4317"}}}}}`,
			"receivers::otlp::protocols::grpc::endpoint", "[::]:4317",
		},
		"zstd over HTTP, by default": {
			`{receivers: {otlp: {protocols: {http: {endpoint: "localhost:4318"}}}}}`,
			"receivers::otlp::protocols::http::compression_algorithms", "512 MiB",
		},
		"zstd over HTTP": {
			`{receivers: {otlp: {protocols: {http: {compression_algorithms: ["", zstd]}}}}}`,
			"receivers::otlp::protocols::http::compression_algorithms", "512 MiB",
		},
		"open UDP to all ranges": {`{receivers: {metricsudp: {endpoint: "[::%lo]:8125", allowed_cidrs: [10.0.0.0/8, "::/0"]}}}`, "receivers::metricsudp::endpoint", "[::%lo]:8125"},
		"open TCP":               {`{receivers: {metricsudp: {endpoint: "0.0.0.0:8125", transport: tcp4}}}`, "receivers::metricsudp::endpoint", "0.0.0.0:8125"},
		"open API of the prometheus receiver": {
			`{receivers: {prometheus: {api_server: {enabled: true, server_config: {endpoint: ":9090"}}}}, service: {pipelines: {metrics: {receivers: [otlp, metricsudp, prometheus]}}}}`,
			"receivers::prometheus::api_server::server_config::endpoint", ":9090",
		},
		"open UDP":       {`{receivers: {metricsudp: {endpoint: ":8125"}}}`, "receivers::metricsudp::endpoint", ":8125"},
		"open page":      {`{exporters: {prometheus: {endpoint: "0.0.0.0:8889"}}}`, "exporters::prometheus::endpoint", "0.0.0.0:8889"},
		"open pprof":     {`{extensions: {pprof: {endpoint: "0.0.0.0:1777"}}, service: {extensions: [pprof]}}`, "extensions::pprof::endpoint", "0.0.0.0:1777"},
		"limit on names": {`{processors: {cardinalitylimit: {limits: [{name: metric, key: [metric.name], max_series: 500}]}}}`, "processors::cardinalitylimit::limits", "invented"},
		"limit on services": {
			`{processors: {cardinalitylimit: {limits: [{name: service, key: [resource.service.name], max_series: 500}]}}}`,
			"processors::cardinalitylimit::limits", "invented",
		},
		"limit on tenants": {
			`{processors: {cardinalitylimit: {limits: [{name: tenant, key: [metadata.x-tenant], count: streams, max_series: 500, action: drop}]}}}`,
			"processors::cardinalitylimit::limits", "invented",
		},
		"limit on attribute sets": {`{processors: {cardinalitylimit: {limits: [{name: total, key: [], max_series: 500, action: drop}]}}}`, "processors::cardinalitylimit::limits", "invented"},
		"limit that tags":         {`{processors: {cardinalitylimit: {limits: [{name: total, key: [], count: streams, max_series: 500, action: tag}]}}}`, "processors::cardinalitylimit::limits", "invented"},
		"limit that counts":       {`{processors: {cardinalitylimit: {limits: [{name: total, key: [], count: streams, max_series: 500, dry_run: true}]}}}`, "processors::cardinalitylimit::limits", "invented"},
		"limits that count":       {`{processors: {cardinalitylimit: {mode: dry_run}}}`, "processors::cardinalitylimit::mode", "bounds nothing"},
		"limit on some metrics":   {`{processors: {cardinalitylimit: {limits: [{name: total, key: [], count: streams, max_series: 500, match: {metrics: [a]}}]}}}`, "processors::cardinalitylimit::limits", "invented"},
		"limits in another pipeline": {
			`{processors: {cardinalitylimit/page: {}}, service: {pipelines: {metrics/page: {receivers: [otlp], processors: [memory_limiter, cardinalitylimit/page, delta_to_cumulative]}}}}`,
			"processors::cardinalitylimit/page::limits", "invented",
		},
		"default limits":          {`{processors: {cardinalitylimit: {limits: []}}}`, "processors::cardinalitylimit::limits", "invented"},
		"log in /tmp":             {`{exporters: {fallbacklog: {log: {directory: /tmp/x}}}}`, "exporters::fallbacklog::log::directory", "temporary"},
		"log that is big":         {`{exporters: {fallbacklog: {log: {max_disk_mib: 4096}}}}`, "exporters::fallbacklog::log::directory", "4096 MiB"},
		"dead letter that is big": {`{exporters: {fallbacklog: {dead_letter: {max_disk_mib: 3100}}}}`, "exporters::fallbacklog::log::directory", "is 4124 MiB"},
		"log that is far too big": {`{exporters: {fallbacklog: {log: {max_disk_mib: 8796093022208}}}}`, "exporters::fallbacklog::log::directory", "is 8796093023232 MiB"},
		"two logs on a volume": {
			`{exporters: {fallbacklog/b: {log: {max_disk_mib: 2048}}}, service: {pipelines: {metrics: {exporters: [forward, fallbacklog, fallbacklog/b]}}}}`,
			"exporters::fallbacklog/b::log::directory", "is 5120 MiB",
		},
	} {
		t.Run(name, func(t *testing.T) {
			findings := doctor.Check(merged(t, c.overlay), disk(4096, "ext4"))
			require.Len(t, findings, 1, "%v", findings)
			assert.Equal(t, c.where, findings[0].Where)
			assert.Contains(t, findings[0].Problem, c.problem)
			assert.NotEmpty(t, findings[0].Fix)
		})
	}
}

// These settings look like traps, but are none.
func TestNoTraps(t *testing.T) {
	for name, overlay := range map[string]string{
		"authenticated listener": `{receivers: {otlp: {protocols: {grpc: {endpoint: "0.0.0.0:4317", auth: {authenticator: bearertokenauth}}}}}}`,
		"HTTP without zstd":      `{receivers: {otlp: {protocols: {http: {compression_algorithms: ["", gzip]}}}}}`,
		"TLS listener":           `{receivers: {otlp: {protocols: {grpc: {endpoint: "0.0.0.0:4317", tls: {cert_file: x}}}}}}`,
		"UDP with ranges":        `{receivers: {metricsudp: {endpoint: "0.0.0.0:8125", allowed_cidrs: [10.0.0.0/8]}}}`,
		"Unix socket":            `{receivers: {metricsudp: {transport: unixgram, endpoint: /run/x.sock}}}`,
		"batch by bytes":         `{exporters: {fallbacklog: {sending_queue: {batch: {sizer: bytes, min_size: 100000, max_size: 900000}}}}}`,
		"queue that is off":      `{exporters: {fallbacklog: {sending_queue: {enabled: false, wait_for_result: false}}}}`,
		"batch without a log":    `{processors: {batch: {}}, exporters: {otlp_grpc: {}}, service: {pipelines: {traces: {receivers: [otlp], processors: [memory_limiter, batch], exporters: [otlp_grpc]}}}}`,
		"unlimited batch":        `{processors: {batch: {send_batch_max_size: 0}}, exporters: {otlp_grpc: {}}, service: {pipelines: {traces: {receivers: [otlp], processors: [memory_limiter, batch], exporters: [otlp_grpc]}}}}`,
		"TCP with TLS":           `{receivers: {metricsudp: {endpoint: "0.0.0.0:8125", transport: tcp, tls: {cert_file: x}}}}`,
		"API that is off":        `{receivers: {prometheus: {api_server: {server_config: {endpoint: ":9090"}}}}, service: {pipelines: {metrics: {receivers: [otlp, metricsudp, prometheus]}}}}`,
		"batch in another signal of a connector": `{processors: {batch: {}}, exporters: {otlp_grpc: {}}, service: {pipelines: {
			metrics/page: {exporters: [fallbacklog]},
			traces: {receivers: [otlp], processors: [memory_limiter, batch], exporters: [forward]}, traces/out: {receivers: [forward], exporters: [otlp_grpc]}}}}`,
		"sampling before the metrics of spans": `{processors: {tail_sampling: {}}, connectors: {span_metrics: {}}, service: {pipelines: {
			traces: {receivers: [otlp], processors: [memory_limiter, tail_sampling], exporters: [span_metrics]}, metrics/spans: {receivers: [span_metrics], exporters: [fallbacklog]}}}}`,
		"senders with a label":              `{receivers: {metricsudp: {origin: ip}}, exporters: {prometheus: {resource_to_telemetry_conversion: {enabled: true}}}}`,
		"senders without distinction":       `{receivers: {metricsudp: {compatibility: statsd, ignore_host: true}}}`,
		"senders to a Unix socket":          `{receivers: {metricsudp: {compatibility: statsd, transport: unix, endpoint: /run/x.sock}}}`,
		"senders as instances":              `{receivers: {metricsudp: {enable_ip_only_aggregation: true}}, processors: {resource: {attributes: [{key: service.instance.id, from_attribute: client.address, action: upsert}]}}, service: {pipelines: {metrics/page: {processors: [resource, delta_to_cumulative]}}}}`,
		"senders without a Prometheus page": `{receivers: {metricsudp: {origin: ip}}, exporters: {otlp_grpc: {}}, service: {pipelines: {metrics: {exporters: [fallbacklog]}, metrics/page: {receivers: [otlp], processors: [memory_limiter, delta_to_cumulative]}}}}`,
		"two processors with limits":        `{processors: {cardinalitylimit/labels: {limits: [{name: label, key: [metric.name], max_values: 5}]}}, service: {pipelines: {metrics: {processors: [memory_limiter, cardinalitylimit/labels, cardinalitylimit]}}}}`,
		"limits behind a bound":             `{processors: {cardinalitylimit/page: {}}, service: {pipelines: {metrics/page: {processors: [cardinalitylimit/page, delta_to_cumulative]}}}}`,
		"batch of a queue that is off":      `{exporters: {fallbacklog: {sending_queue: {enabled: false, batch: {max_size: 20000}}}}}`,
		"cumulative again":                  `{processors: {cumulative_to_delta: {}}, service: {pipelines: {metrics/page: {processors: [cumulative_to_delta, delta_to_cumulative]}}}}`,
		"components that are not started": `{
			receivers: {otlp/open: {protocols: {http: {endpoint: ":4318"}}}, metricsudp/open: {endpoint: ":8125"}},
			exporters: {prometheus/open: {endpoint: ":8889", translation_strategy: NoTranslation}, fallbacklog/off: {log: {directory: /tmp/x}, sending_queue: {batch: {max_size: 20000}}}},
			extensions: {pprof: {endpoint: ":1777"}}}`,
		"log without dead letter": `{exporters: {fallbacklog: {log: {max_disk_mib: 3072}, dead_letter: {enabled: false}}}}`,
		"folder beside /tmp":      `{exporters: {fallbacklog: {log: {directory: /tmpfiles}}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			assert.Empty(t, doctor.Check(merged(t, overlay), disk(4096, "ext4")))
		})
	}
}

func TestVolumes(t *testing.T) {
	for kind, want := range map[string]string{"overlay": "ends with the container", "tmpfs": "temporary"} {
		findings := doctor.Check(parse(t, healthy), disk(4096, kind))
		require.Len(t, findings, 1, kind)
		assert.Contains(t, findings[0].Problem, want)
	}
	findings := doctor.Check(parse(t, healthy), func(string) (doctor.Volume, error) { return doctor.Volume{}, errors.New("no such device") })
	require.Len(t, findings, 1)
	assert.Equal(t, "no such device", findings[0].Problem)
	assert.Empty(t, doctor.Check(parse(t, healthy), nil))
}

// Values of unexpected types must not cause a panic. The gateway's validation reports them.
func TestMalformedConfigurations(t *testing.T) {
	for _, text := range []string{
		`{service: 1}`, `{service: {pipelines: [1]}}`, `{service: {pipelines: {metrics: {receivers: otlp, processors: {a: 1}, exporters: [1, null]}}}}`,
		`{receivers: {otlp: {protocols: [1]}}, exporters: {fallbacklog: 1, prometheus: []}, processors: {cardinalitylimit: {limits: {a: 1}}}}`,
		`{processors: {batch: {send_batch_size: many}, cardinalitylimit: {limits: [1, {key: 1}]}}, extensions: {pprof: null}}`,
		`{connectors: {forward: {}}, service: {pipelines: {a: {receivers: [forward], exporters: [forward]}, metrics: {receivers: [forward], exporters: [prometheus, forward, fallbacklog]}}}}`,
	} {
		assert.NotPanics(t, func() { doctor.Check(parse(t, text), disk(1, "")); doctor.From(parse(t, text)) }, text)
	}
}

// TestFrom uses configurations that resemble public ones for otelcol-contrib, each with the expected findings.
func TestFrom(t *testing.T) {
	files, err := filepath.Glob("testdata/from/*.yaml")
	require.NoError(t, err)
	require.Len(t, files, 5)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			content, err := os.ReadFile(file)
			require.NoError(t, err)
			want, err := os.ReadFile(strings.TrimSuffix(file, ".yaml") + ".txt")
			require.NoError(t, err)
			var got strings.Builder
			for _, f := range doctor.From(parse(t, string(content))) {
				got.WriteString(f.String() + "\n")
			}
			assert.Equal(t, string(want), got.String())
		})
	}
}

// From knows a component by the name of another release of contrib, and the ways to find targets that the distribution lacks.
func TestFromAnotherRelease(t *testing.T) {
	for config, want := range map[string]doctor.Finding{
		`{processors: {group_by_attrs/x: {}}}`:   {Where: "processors::group_by_attrs/x", Problem: "the gateway refuses the file: it knows the component as groupbyattrs"},
		`{processors: {resource_detection: {}}}`: {Where: "processors::resource_detection", Fix: "use resource, with values from the environment"},
		`{receivers: {prometheus: {config: {scrape_configs: [{job_name: a, static_configs: []}, {job_name: b, ec2_sd_configs: []}]}}}}`: {
			Where: "receivers::prometheus::config::scrape_configs[1]::ec2_sd_configs", Problem: "the distribution discovers targets in Kubernetes, in files and over HTTP only: the gateway refuses the file",
		},
	} {
		findings := doctor.From(parse(t, config))
		require.Len(t, findings, 1, config)
		assert.Equal(t, want.Where, findings[0].Where)
		assert.Contains(t, findings[0].Problem, want.Problem)
		assert.Contains(t, findings[0].Fix, want.Fix)
	}
}

func TestFromThisDistributionNeedsNothing(t *testing.T) {
	assert.Empty(t, doctor.From(parse(t, healthy)))
}
