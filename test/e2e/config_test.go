package e2e

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
)

// TestConfigs: every shipped configuration validates and runs unchanged, except for its addresses.
func TestConfigs(t *testing.T) {
	files, err := filepath.Glob(config("*.yaml"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			g := newGateway(t, filepath.Base(file))
			g.withCertificates(newAuthority(t))
			output, err := g.command("validate").CombinedOutput()
			require.NoError(t, err, "%s", output)
			g.start()
			g.stop()
		})
	}
}

// TestRefusedConfigurations: a mistake is refused with its field and the reason, by validate if the file alone shows it,
// otherwise at start.
func TestRefusedConfigurations(t *testing.T) {
	for name, c := range map[string]struct {
		overlay string
		want    []string
	}{
		"unknown key": {
			`receivers: {metricsudp: {enpoint: "localhost:8125"}}`,
			[]string{"metricsudp", "enpoint"},
		},
		"wrong type": {
			`receivers: {metricsudp: {aggregation_interval: often}}`,
			[]string{"metricsudp", "aggregation_interval"},
		},
		"limit of 0": {
			`processors: {cardinalitylimit: {limits: [{name: metric, key: [metric.name], max_series: 0, action: overflow}]}}`,
			[]string{"cardinalitylimit", "max_series", "must be"},
		},
		"unsorted bounds": {
			`processors: {bucketing: {rules: [{target: {explicit: {bounds: [10, 5]}}}]}}`,
			[]string{"bucketing", "bounds", "must be", "5"},
		},
		"typo in the wrapped exporter": {
			`exporters: {fallbacklog: {exporter: {otlp_http: {endpiont: "localhost:1"}}}}`,
			[]string{"fallbacklog", "otlp_http", "endpiont"},
		},
		"unknown wrapped exporter": {
			`exporters: {fallbacklog/pigeon: {exporter: {carrier_pigeon: {}}}}`,
			[]string{"fallbacklog/pigeon", "exporter", "must be", "carrier_pigeon"},
		},
		"nested queue": {
			`exporters: {fallbacklog: {exporter: {otlp_http: {sending_queue: {enabled: true}}}}}`,
			[]string{"fallbacklog", "sending_queue"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			output, err := newGateway(t, "quickstart.yaml", c.overlay).command("validate").CombinedOutput()
			require.Error(t, err, "%s", output)
			for _, want := range c.want {
				assert.Contains(t, string(output), want)
			}
		})
	}

	t.Run("missing directory", func(t *testing.T) {
		g := newGateway(t, "quickstart.yaml", `exporters: {fallbacklog: {log: {create_directory: false}}}`)
		output := g.fails(t)
		assert.Contains(t, output, "log::directory: must exist")
	})
	t.Run("taken UDP port", func(t *testing.T) {
		g := newGateway(t, "quickstart.yaml")
		holder, err := net.ListenPacket("udp", g.udp)
		require.NoError(t, err)
		defer holder.Close()
		output := g.fails(t)
		assert.Contains(t, output, "endpoint")
		assert.Contains(t, output, g.udp)
	})
	t.Run("UDP port of another gateway", func(t *testing.T) {
		first := newGateway(t, "quickstart.yaml")
		first.start()
		second := newGateway(t, "quickstart.yaml")
		second.env["METRICSUDP_ENDPOINT"] = first.udp
		assert.Contains(t, second.fails(t), first.udp)
		first.stop()
	})
}

// TestBufferSizeFromTheEnvironment: the variable reaches the receiver in every shipped configuration that has a receiver. The
// receiver refuses an impossible size.
func TestBufferSizeFromTheEnvironment(t *testing.T) {
	files, err := filepath.Glob(config("*.yaml"))
	require.NoError(t, err)
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		if !strings.Contains(string(content), "metricsudp:") {
			continue
		}
		g := newGateway(t, filepath.Base(file))
		for value, want := range map[string]string{
			"0":   "buffer_size: must be from 1 to 1000000 (got 0)",
			"1.5": "buffer_size: must be a whole number",
		} {
			g.env["METRICS_BUFFER_SIZE"] = value
			output, err := g.command("validate").CombinedOutput()
			require.Error(t, err)
			assert.Contains(t, string(output), want)
		}
		g.env["METRICS_BUFFER_SIZE"] = "500"
		output, err := g.command("validate").CombinedOutput()
		require.NoError(t, err, "%s", output)
	}
}

// TestPrintConfigHidesSecrets: print-config does not show the secrets of the wrapped exporter.
func TestPrintConfigHidesSecrets(t *testing.T) {
	g := newGateway(t, "quickstart.yaml", `exporters: {fallbacklog: {exporter: {otlp_http: {headers: {authorization: Bearer swordfish}}}}}`)
	cmd := g.command("print-config")
	output, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", output)
	assert.Contains(t, string(output), "fallbacklog")
	assert.NotContains(t, string(output), "swordfish")
}

// TestUserAttributesAreRemoved: with the development configuration, attributes that identify a person reach neither the page
// nor the local log. The other parts of their items do.
func TestUserAttributesAreRemoved(t *testing.T) {
	g := newGateway(t, "development.yaml")
	g.start()
	const (
		attributes = `"attributes":[{"key":"user.email","value":{"stringValue":"swordfish"}},{"key":"shop","value":{"stringValue":"s1"}}]`
		resource   = `{"resource":{` + attributes + `},`
		scope      = `{"scope":{"name":"web",` + attributes + `},`
		span       = `{"name":"visit","traceId":"01000000000000000000000000000000","spanId":"0100000000000000",` + attributes
	)
	for path, body := range map[string]string{
		"/v1/metrics": `{"resourceMetrics":[` + resource + `"scopeMetrics":[` + scope + `"metrics":[{"name":"visits","gauge":{"dataPoints":[{"asInt":"1",` + attributes + `}]}}]}]}]}`,
		"/v1/logs":    `{"resourceLogs":[` + resource + `"scopeLogs":[` + scope + `"logRecords":[{"body":{"stringValue":"hello"},` + attributes + `}]}]}]}`,
		"/v1/traces": `{"resourceSpans":[` + resource + `"scopeSpans":[` + scope + `"spans":[` +
			span + `},` + span + `,"events":[{"name":"click",` + attributes + `}]}]}]}]}`,
	} {
		response, err := http.Post("http://"+g.http+path, "application/json", strings.NewReader(body))
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, http.StatusOK, response.StatusCode, path)
	}
	visits := scrape(t, g.page, "visits")
	require.Len(t, visits, 1)
	assert.Equal(t, "s1", visits[0].labels["shop"])
	for label := range visits[0].labels {
		assert.NotContains(t, label, "user")
	}
	for _, signal := range []string{"metrics", "logs", "traces"} {
		segments, err := filepath.Glob(filepath.Join(g.log, "*", signal, "*.jsonl"))
		require.NoError(t, err)
		require.Len(t, segments, 1, signal)
		content, err := os.ReadFile(segments[0])
		require.NoError(t, err)
		assert.Contains(t, string(content), `"shop"`, signal)
		assert.NotContains(t, string(content), "swordfish", signal)
	}
	g.stop()
}

// TestReadmeConfigurations: every configuration in the README of a component is valid, in its own pipelines or, without
// pipelines, in the smallest ones.
func TestReadmeConfigurations(t *testing.T) {
	var readmes []string
	for _, kind := range []string{"receiver", "processor", "exporter"} {
		found, err := filepath.Glob("../../" + kind + "/*/README.md")
		require.NoError(t, err)
		readmes = append(readmes, found...)
	}
	require.Len(t, readmes, 4)
	for _, readme := range readmes {
		t.Run(filepath.Base(filepath.Dir(readme)), func(t *testing.T) {
			for i, block := range yamlBlocks(t, readme) {
				require.True(t, showsComponent(t, block), "block %d", i)
				validateShown(t, block)
			}
		})
	}
}

// TestGuideConfigurations: the configurations in all other pages are valid too, those of Prometheus included. docs/own-build.md
// has TestOwnBuild.
func TestGuideConfigurations(t *testing.T) {
	pages := []string{"../../extension/gatewaypage/README.md"}
	for _, pattern := range []string{"*.md", "*/*.md"} {
		found, err := filepath.Glob("../../docs/" + pattern)
		require.NoError(t, err)
		pages = append(pages, found...)
	}
	blocks := 0
	for _, page := range pages {
		content, err := os.ReadFile(page)
		require.NoError(t, err)
		if filepath.Base(page) == "own-build.md" || !bytes.Contains(content, []byte("```yaml\n")) {
			continue
		}
		t.Run(strings.TrimPrefix(page, "../../"), func(t *testing.T) {
			for _, block := range yamlBlocks(t, page) {
				blocks++
				switch conf := parseYAML(t, []byte(block)); {
				case conf.IsSet("scrape_configs"):
					checkForPrometheus(t, block)
				case conf.IsSet("limits"): // an entry alone
					validateShown(t, "processors:\n  cardinalitylimit:\n"+regexp.MustCompile("(?m)^").ReplaceAllString(block, "    "))
				default:
					validateShown(t, block)
				}
			}
		})
	}
	assert.Greater(t, blocks, 30)
}

// checkForPrometheus checks a configuration of Prometheus whose paths begin at the root of the repository, with its rules.
func checkForPrometheus(t *testing.T, block string) {
	t.Helper()
	dir := t.TempDir()
	deploy, err := filepath.Abs("../../deploy")
	require.NoError(t, err)
	require.NoError(t, os.Symlink(deploy, filepath.Join(dir, "deploy")))
	file := filepath.Join(dir, "prometheus.yml")
	require.NoError(t, os.WriteFile(file, []byte(block), 0o600))
	output, err := exec.Command("promtool", "check", "config", file).CombinedOutput()
	require.NoError(t, err, "%s\n%s", block, output)
	require.Contains(t, string(output), "rules found", "rule_files names files that exist")
}

// yamlBlocks returns the code blocks of a page, without the indentation of the list around them.
func yamlBlocks(t *testing.T, page string) []string {
	t.Helper()
	content, err := os.ReadFile(page)
	require.NoError(t, err)
	var out []string
	for _, m := range regexp.MustCompile("(?ms)^( *)```yaml\n(.*?)^ *```").FindAllStringSubmatch(string(content), -1) {
		out = append(out, regexp.MustCompile("(?m)^"+m[1]).ReplaceAllString(m[2], ""))
	}
	require.NotEmpty(t, out, page)
	return out
}

// ours are the components that pages show without pipelines, each with its place in a pipeline.
var ours = map[string]string{
	"receivers::metricsudp": "receivers", "processors::cardinalitylimit": "processors", "processors::bucketing": "processors", "exporters::fallbacklog": "exporters",
}

func showsComponent(t *testing.T, block string) bool {
	t.Helper()
	conf := parseYAML(t, []byte(block))
	for key := range ours {
		if conf.IsSet(key) {
			return true
		}
	}
	return false
}

// validateShown validates a configuration. It adds the smallest pipelines for the component to a configuration without
// pipelines.
func validateShown(t *testing.T, block string) {
	t.Helper()
	dir := t.TempDir()
	shown := filepath.Join(dir, "shown.yaml")
	require.NoError(t, os.WriteFile(shown, []byte(block), 0o600))
	args := []string{"validate", "--config", shown}
	if conf := parseYAML(t, []byte(block)); !conf.IsSet("service::pipelines") {
		pipeline := map[string]string{"receivers": "otlp", "processors": "", "exporters": "debug"}
		for key, place := range ours {
			if conf.IsSet(key) {
				pipeline[place] = strings.TrimPrefix(key, place+"::")
			}
		}
		smallest := filepath.Join(dir, "smallest.yaml")
		require.NoError(t, os.WriteFile(smallest, fmt.Appendf(nil, `
receivers: {otlp: {protocols: {grpc: {}}}}
exporters: {debug: {}}
service: {pipelines: {metrics: {receivers: [%s], processors: [%s], exporters: [%s]}}}
`, pipeline["receivers"], pipeline["processors"], pipeline["exporters"]), 0o600))
		args = append(args, "--config", smallest)
	}
	cmd := exec.Command(binary, args...)
	cmd.Env = append(os.Environ(), "FALLBACKLOG_KEY="+strings.Repeat("0f", 32), "GATEWAYPAGE_TOKEN=token", "VALKEY_PASSWORD=password", "PLACES_SECRET=secret")
	output, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s\n%s", block, output)
}

// TestBucketingComesFirst: in every shipped configuration, invalid and extreme histograms reach bucketing before any component
// that aggregates. Components that aggregate deltas receive only explicit histograms.
func TestBucketingComesFirst(t *testing.T) {
	files, err := filepath.Glob(config("*.yaml"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		retrieved, err := confmap.NewRetrievedFromYAML(content)
		require.NoError(t, err)
		conf, err := retrieved.AsConf()
		require.NoError(t, err)
		pipelines, err := conf.Sub("service::pipelines")
		require.NoError(t, err)
		aggregates := false
		for name := range pipelines.ToStringMap() {
			processors, _ := pipelines.Get(name + "::processors").([]any)
			receivers, _ := pipelines.Get(name + "::receivers").([]any)
			first := slices.IndexFunc(processors, func(p any) bool {
				aggregates = aggregates || p == "delta_to_cumulative"
				return p == "cardinalitylimit" || p == "delta_to_cumulative"
			})
			fork := !slices.ContainsFunc(receivers, func(r any) bool { return !conf.IsSet("connectors::" + r.(string)) })
			if first < 0 || fork && !slices.Contains(processors, any("cardinalitylimit")) {
				continue // a fork has what the pipeline before it let through
			}
			at := slices.Index(processors, any("bucketing"))
			assert.True(t, 0 <= at && at < first, "%s: %s: %v", filepath.Base(file), name, processors)
		}
		if aggregates {
			rules, _ := conf.Get("processors::bucketing::rules").([]any)
			assert.Contains(t, fmt.Sprint(rules), "map[match:map[types:[exponential_histogram]] target:map[explicit:", filepath.Base(file))
		}
	}
}
