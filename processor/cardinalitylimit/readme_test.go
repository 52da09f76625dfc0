package cardinalitylimit

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
)

// The configurations in the README are valid.
func TestReadmeConfig(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	blocks := strings.Split(string(readme), "```yaml\n")[1:]
	require.Len(t, blocks, 2)
	for _, text := range blocks {
		text, _, _ = strings.Cut(text, "```")
		got, err := confmap.NewRetrievedFromYAML([]byte(text))
		require.NoError(t, err)
		conf, err := got.AsConf()
		require.NoError(t, err)
		sub, err := conf.Sub("processors::cardinalitylimit")
		require.NoError(t, err)
		require.NotEmpty(t, sub.AllKeys(), text)
		cfg := createDefaultConfig().(*Config)
		require.NoError(t, sub.Unmarshal(cfg))
		require.NoError(t, confmap.Validate(cfg), text)
	}
}
