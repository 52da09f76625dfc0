package metricsudp

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
)

// Every configuration in the README is accepted as it stands.
func TestReadmeConfigurations(t *testing.T) {
	blocks := strings.Split(readme(t), "```yaml\n")[1:]
	require.NotEmpty(t, blocks)
	for _, block := range blocks {
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

// The README's table has a row for every key.
func TestReadmeHasEveryKey(t *testing.T) {
	text := readme(t)
	var walk func(path string, of reflect.Type)
	walk = func(path string, of reflect.Type) {
		for _, field := range reflect.VisibleFields(of) {
			key := path + field.Tag.Get("mapstructure")
			if field.Type.Kind() == reflect.Struct && field.Type.PkgPath() == of.PkgPath() {
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
