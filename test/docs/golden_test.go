package docs

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	comp "go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/provider/yamlprovider"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog"
	"github.com/otelcol-custom/otelcol-custom/processor/bucketing"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp"
)

var update = flag.Bool("update", false, "write what the golden files must be")

// golden compares lines with a file of testdata/golden, which -update writes.
func golden(t *testing.T, name string, lines []string) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name)
	text := strings.Join(lines, "\n") + "\n"
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644)) //nolint:gosec // a file of the repository
	}
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	listed := strings.Split(strings.TrimSuffix(string(content), "\n"), "\n")
	for _, line := range listed {
		assert.True(t, slices.Contains(lines, line), "%s is gone or changed. That breaks dashboards or configurations: say so in UPGRADING.md, then `make golden`", line)
	}
	for _, line := range lines {
		assert.True(t, slices.Contains(listed, line), "%s is new: `make golden` adds it", line)
	}
}

// TestGoldenTelemetry: the metrics of the components, with unit and attributes, are those of the golden list.
func TestGoldenTelemetry(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root, "*", "*", "metadata.yaml"))
	require.NoError(t, err)
	var lines []string
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		retrieved, err := yamlprovider.NewFactory().Create(confmap.ProviderSettings{}).Retrieve(t.Context(), "yaml:"+string(content), nil)
		require.NoError(t, err)
		conf, err := retrieved.AsConf()
		require.NoError(t, err)
		telemetry, _ := conf.Get("telemetry").(map[string]any)
		metrics, _ := telemetry["metrics"].(map[string]any)
		attributes, _ := conf.Get("attributes").(map[string]any)
		for name, value := range metrics {
			m := value.(map[string]any)
			var keys []string
			listed, _ := m["attributes"].([]any)
			for _, key := range listed {
				shown := key.(string)
				if attribute, _ := attributes[shown].(map[string]any); attribute["name_override"] != nil {
					shown = attribute["name_override"].(string)
				}
				keys = append(keys, shown)
			}
			lines = append(lines, fmt.Sprintf("otelcol_%s [%s] %s", name, strings.Join(keys, ", "), m["unit"]))
		}
	}
	require.Greater(t, len(lines), 80)
	slices.Sort(lines)
	golden(t, "telemetry.txt", lines)
}

// TestGoldenConfiguration: the keys of the components' configurations, with their Go types, are those of the golden list.
func TestGoldenConfiguration(t *testing.T) {
	keys := map[string]bool{}
	for _, config := range []struct {
		name   string
		config comp.Config
	}{
		{"receivers::metricsudp", metricsudp.NewFactory().CreateDefaultConfig()},
		{"processors::cardinalitylimit", cardinalitylimit.NewFactory().CreateDefaultConfig()},
		{"processors::bucketing", bucketing.NewFactory().CreateDefaultConfig()},
		{"exporters::fallbacklog", fallbacklog.NewFactory().CreateDefaultConfig()},
	} {
		addKeys(keys, config.name, reflect.TypeOf(config.config))
	}
	require.Greater(t, len(keys), 100)
	golden(t, "configuration.txt", slices.Sorted(maps.Keys(keys)))
}

// addKeys adds the keys of a type below a name. Elements of lists and maps stand below [] and {}.
func addKeys(keys map[string]bool, name string, typ reflect.Type) {
	switch typ.Kind() {
	case reflect.Pointer:
		addKeys(keys, name, typ.Elem())
	case reflect.Slice, reflect.Array:
		addKeys(keys, name+"[]", typ.Elem())
	case reflect.Map:
		addKeys(keys, name+"{}", typ.Elem())
	case reflect.Struct:
		fields := 0
		for i := range typ.NumField() {
			field := typ.Field(i)
			key, options, tagged := strings.Cut(field.Tag.Get("mapstructure"), ",")
			switch {
			case options == "squash" || field.Anonymous && !tagged && key == "":
				addKeys(keys, name, field.Type)
				fields++
			case key == "-" || !field.IsExported() && key == "":
			case key != "":
				addKeys(keys, name+"::"+key, field.Type)
				fields++
			}
		}
		if fields == 0 {
			keys[name] = true
		}
	default:
		keys[name+" "+typ.Kind().String()] = true
	}
}
