package doctor

// components has the types of the distribution's components by kind. TestDoctorKnowsTheComponents compares them with the
// binary's.
var components = map[string][]string{
	"receivers": {"metricsudp", "otlp", "prometheus"},
	"processors": {
		"attributes", "batch", "bucketing", "cardinalitylimit", "cumulative_to_delta", "delta_to_cumulative", "filter", "groupbyattrs",
		"interval", "k8s_attributes", "memory_limiter", "metrics_transform", "probabilistic_sampler", "redaction", "resource",
		"tail_sampling", "transform",
	},
	"exporters": {
		"debug", "fallbacklog", "file", "kafka", "load_balancing", "nop", "otlp_grpc", "otlp_http", "prometheus", "prometheus_remote_write",
	},
	"connectors": {"forward", "span_metrics"},
	"extensions": {"bearertokenauth", "file_storage", "gatewaypage", "health_check", "pprof", "zpages"},
}

// Components returns the types of the distribution's components of a kind, such as "receivers".
func Components(kind string) []string { return components[kind] }

// formerNames maps former names of types to the present ones. The binary still accepts the former names.
var formerNames = map[string]string{
	"cumulativetodelta":     "cumulative_to_delta",
	"deltatocumulative":     "delta_to_cumulative",
	"k8sattributes":         "k8s_attributes",
	"loadbalancing":         "load_balancing",
	"metricstransform":      "metrics_transform",
	"otlphttp":              "otlp_http",
	"prometheusremotewrite": "prometheus_remote_write",
	"spanmetrics":           "span_metrics",
}

// replacement is advice for a component that the distribution does not have.
type replacement struct {
	fix     string
	differs string // how the replacement behaves differently; empty if no difference matters
}

// replacements has the replacements by kind and type.
var replacements = map[string]map[string]replacement{
	"receivers": {
		"statsd": {
			`use metricsudp with "compatibility: statsd" and the same keys`,
			"ports of senders never keep series apart; sets, events, bad rates and more are handled differently (docs/metricsudp/switching.md)",
		},
		"carbon":       {"use an otelcol-contrib or Telegraf agent in front that sends OTLP", ""},
		"influxdb":     {"use an otelcol-contrib or Telegraf agent in front that sends OTLP", ""},
		"jaeger":       {"use an otelcol-contrib agent in front that sends OTLP; Jaeger's SDKs are retired for OpenTelemetry's", ""},
		"zipkin":       {"use an otelcol-contrib agent in front that sends OTLP", ""},
		"kafka":        {"use an otelcol-contrib agent that reads Kafka and sends OTLP", ""},
		"hostmetrics":  {"use an agent on each host that sends OTLP", "a gateway's own host is not what you want to measure"},
		"filelog":      {"use an agent on each host that sends OTLP", ""},
		"kubeletstats": {"use an agent on each node that sends OTLP", ""},
		"k8s_cluster":  {"use one otelcol-contrib Deployment that sends OTLP", ""},
		"opencensus":   {"use the OpenTelemetry SDK and otlp", "the protocol is retired"},
	},
	"processors": {
		"memory_ballast":    {"remove it: GOMEMLIMIT and memory_limiter do its work", ""},
		"queued_retry":      {"use the exporter's retry_on_failure and sending_queue", ""},
		"resourcedetection": {"use resource, with values from the environment", "nothing is detected: agents know what they run on"},
		"spanmetrics":       {"use the span_metrics connector", "two pipelines instead of a metrics_exporter key"},
		"servicegraph":      {"use an own build (docs/own-build.md)", ""},
		"groupbytrace":      {"use tail_sampling, which groups by itself", ""},
		"span":              {"use transform with set(span.name, ...)", ""},
		"logdedup":          {"use an own build (docs/own-build.md)", ""},
	},
	"exporters": {
		"logging":       {"use debug", "loglevel is verbosity: basic, normal or detailed"},
		"jaeger":        {"use otlp_grpc to Jaeger's OTLP port 4317", ""},
		"loki":          {"use otlp_http to Loki's /otlp", "labels are chosen in Loki"},
		"elasticsearch": {"use otlp_http to an OTLP endpoint, or an own build (docs/own-build.md)", ""},
		"datadog":       {"use otlp_http to the vendor's OTLP endpoint, or an own build (docs/own-build.md)", ""},
		"zipkin":        {"use otlp_grpc to a backend with OTLP, or an own build (docs/own-build.md)", ""},
		"otlpjson":      {"use file", ""},
		"opencensus":    {"use otlp_grpc", "the protocol is retired"},
	},
	"connectors": {
		"failover": {"use fallbacklog around the exporter", "data waits for its backend instead of going to another one"},
		"routing":  {"use one pipeline and one filter for each destination", ""},
		"count":    {"use span_metrics for spans, else an own build (docs/own-build.md)", ""},
	},
	"extensions": {
		"memory_ballast": {"remove it: GOMEMLIMIT and memory_limiter do its work", ""},
		"basicauth":      {"use bearertokenauth, mTLS, or a proxy in front", ""},
		"oauth2client":   {"use bearertokenauth with a token that is renewed in its file", ""},
		"oidc":           {"use a proxy in front", ""},
		"opamp":          {"remove it: the process manager validates and reloads", ""},
	},
}
