package e2e

import (
	"debug/buildinfo"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-custom/otelcol-custom/internal/doctor"
)

// maxBinaryBytes bounds the binary, so that the test shows a dependency that adds the client of a cloud.
const maxBinaryBytes = 115_000_000

func TestBinarySize(t *testing.T) {
	info, err := os.Stat(binary)
	require.NoError(t, err)
	assert.LessOrEqual(t, info.Size(), int64(maxBinaryBytes))
	t.Logf("%.1f MB", float64(info.Size())/1e6)
}

// TestBuildTags: every place that builds the gateway uses the build tags of builder-config.yaml.
func TestBuildTags(t *testing.T) {
	content, err := os.ReadFile("../../builder-config.yaml")
	require.NoError(t, err)
	tags, ok := parseYAML(t, content).Get("dist::build_tags").(string)
	require.True(t, ok)
	require.NotEmpty(t, tags)
	assert.Equal(t, buildTags, tags, "main_test.go")
	for _, file := range []string{"Makefile", "Dockerfile"} {
		content, err := os.ReadFile(filepath.Join("../..", file))
		require.NoError(t, err)
		assert.Contains(t, string(content), "-tags="+tags+" ", file)
	}
	lint, err := os.ReadFile("../../.golangci.yml")
	require.NoError(t, err)
	assert.Contains(t, string(lint), "build-tags: ["+strings.ReplaceAll(tags, ",", ", ")+"]")

	built, err := buildinfo.ReadFile(binary)
	require.NoError(t, err)
	settings := map[string]string{}
	for _, s := range built.Settings {
		settings[s.Key] = s.Value
	}
	assert.Equal(t, tags, settings["-tags"])
	assert.Equal(t, "0", settings["CGO_ENABLED"])
	assert.Equal(t, "true", settings["-trimpath"])
}

// TestTimeZones: OTTL's Time knows time zones on a system without time zone files.
func TestTimeZones(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("chroot needs root")
	}
	dir := t.TempDir()
	require.NoError(t, os.Link(binary, filepath.Join(dir, "otelcol-custom")))
	const configuration = `
receivers: {otlp: {protocols: {http: {}}}}
processors:
  transform: {log_statements: ['set(log.time, Time(log.body, "%Y-%m-%d", "Pacific/Auckland"))']}
exporters: {nop: {}}
service: {pipelines: {logs: {receivers: [otlp], processors: [transform], exporters: [nop]}}}
`
	require.NoError(t, os.WriteFile(filepath.Join(dir, "config.yaml"), []byte(configuration), 0o600))
	cmd := exec.Command("/otelcol-custom", "validate", "--config", "/config.yaml")
	cmd.Dir, cmd.Env = "/", []string{"HOME=/"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: dir}
	output, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", output)
}

// componentKinds are the keys in the output of the command `components`.
var componentKinds = []string{"receivers", "processors", "exporters", "connectors", "extensions"}

// builtComponents returns the types of the binary's components by kind.
func builtComponents(t *testing.T) map[string][]string {
	output, err := exec.Command(binary, "components").Output()
	require.NoError(t, err)
	conf := parseYAML(t, output)
	built := map[string][]string{}
	for _, kind := range componentKinds {
		components, ok := conf.Get(kind).([]any)
		require.True(t, ok, kind)
		for _, c := range components {
			built[kind] = append(built[kind], c.(map[string]any)["name"].(string))
		}
	}
	return built
}

// The doctor's list of components equals that of the binary.
func TestDoctorKnowsTheComponents(t *testing.T) {
	built := builtComponents(t)
	for _, kind := range componentKinds {
		assert.ElementsMatch(t, built[kind], doctor.Components(kind), kind)
	}
}

// docs/distribution.md lists exactly the components of the binary.
func TestComponentsOfThePage(t *testing.T) {
	all := builtComponents(t)
	page, err := os.ReadFile("../../docs/distribution.md")
	require.NoError(t, err)
	code := regexp.MustCompile("`([^`]+)`")
	for _, kind := range componentKinds {
		built := all[kind]
		row := regexp.MustCompile(`(?m)^\| ` + kind + ` \| (.*) \|$`).FindSubmatch(page)
		require.NotNil(t, row, kind)
		var listed []string
		for _, m := range code.FindAllSubmatch(row[1], -1) {
			listed = append(listed, string(m[1]))
		}
		assert.ElementsMatch(t, built, listed, kind)
	}
}

// TestOwnBuild: the builder configuration of docs/own-build.md, outside the tree, builds a Collector with one of the components
// beside stock ones, and the configuration of the page runs in it.
func TestOwnBuild(t *testing.T) {
	page, err := os.ReadFile("../../docs/own-build.md")
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(page, -1)
	require.Len(t, blocks, 2, "builder.yaml and config.yaml")
	tree, err := filepath.Abs("../..")
	require.NoError(t, err)
	dir := t.TempDir()
	require.Contains(t, string(blocks[0][1]), "/src/otelcol-custom")
	builder := strings.ReplaceAll(string(blocks[0][1]), "/src/otelcol-custom", tree)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "builder.yaml"), []byte(builder), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "config.yaml"), blocks[1][1], 0o600))

	tool, err := exec.Command("go", "tool", "-modfile=../../internal/tools/go.mod", "-n", "builder").Output()
	require.NoError(t, err)
	build := exec.Command(strings.TrimSpace(string(tool)), "--config", "builder.yaml")
	build.Dir = dir
	build.Env = append(os.Environ(), "GOFLAGS=-trimpath -buildvcs=false", "CGO_ENABLED=0")
	output, err := build.CombinedOutput()
	require.NoError(t, err, "%s", output)

	g := newGateway(t, "quickstart.yaml")
	g.binary, g.configs = filepath.Join(dir, "build", "our-collector"), []string{filepath.Join(dir, "config.yaml")}
	g.withOverlay(`
service: {telemetry: {metrics: {readers: [{pull: {exporter: {prometheus: {
  host: "${env:TELEMETRY_HOST}", port: "${env:TELEMETRY_PORT}", without_scope_info: true, without_type_suffix: false, without_units: false}}}}]}}}
`)
	g.launch()
	eventually(t, "the Collector listens", func() bool {
		response, err := http.Post("http://"+g.http+"/v1/metrics", "application/json", strings.NewReader("{}"))
		if err != nil {
			return false
		}
		return body(t, response) != "" || response.StatusCode == http.StatusOK
	})
	points := make([]string, 15)
	for i := range points {
		points[i] = fmt.Sprintf(`{"asInt":"1","timeUnixNano":"1000000000","attributes":[{"key":"n","value":{"intValue":"%d"}}]}`, i)
	}
	postOTLP(t, g, `{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"x","gauge":{"dataPoints":[`+strings.Join(points, ",")+`]}}]}]}]}`)
	// 8 of the 10 places are free at first. The last fifth is for series that were active before.
	assert.InDelta(t, 7, g.own("otelcol_processor_cardinalitylimit_points_total", "action", "drop"), 0)
	g.stop()
}

func parseYAML(t *testing.T, content []byte) *confmap.Conf {
	t.Helper()
	retrieved, err := confmap.NewRetrievedFromYAML(content)
	require.NoError(t, err)
	conf, err := retrieved.AsConf()
	require.NoError(t, err)
	return conf
}
