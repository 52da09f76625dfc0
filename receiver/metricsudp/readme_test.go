package metricsudp

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
)

// Every configuration in the README and its pages is accepted.
func TestReadmeConfigurations(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join("..", "..", "docs", "metricsudp", "*.md"))
	require.NoError(t, err)
	require.NotEmpty(t, pages)
	for _, page := range append(pages, "README.md") {
		content, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, block := range strings.Split(string(content), "```yaml\n")[1:] {
			block, _, _ = strings.Cut(block, "```")
			retrieved, err := confmap.NewRetrievedFromYAML([]byte(block))
			require.NoError(t, err)
			conf, err := retrieved.AsConf()
			require.NoError(t, err)
			sub, err := conf.Sub("receivers::metricsudp")
			require.NoError(t, err)
			cfg := createDefaultConfig()
			require.NoError(t, sub.Unmarshal(cfg), block)
			require.NoError(t, confmap.Validate(cfg), block)
		}
	}
}

// The README stays short. Longer descriptions have pages of their own.
func TestReadmeIsShort(t *testing.T) {
	assert.LessOrEqual(t, strings.Count(readme(t), "\n"), 150)
}

// The README's table has a row for every key.
func TestReadmeHasEveryKey(t *testing.T) {
	text := readme(t)
	var walk func(path string, config reflect.Type)
	walk = func(path string, config reflect.Type) {
		for _, field := range reflect.VisibleFields(config) {
			key := path + field.Tag.Get("mapstructure")
			if field.Type.Kind() == reflect.Struct && field.Type.PkgPath() == config.PkgPath() {
				walk(key+"::", field.Type)
				continue
			}
			assert.Contains(t, text, "\n| `"+key+"` |")
		}
	}
	walk("", reflect.TypeFor[Config]())
}

func readme(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile("README.md")
	require.NoError(t, err)
	return string(content)
}
