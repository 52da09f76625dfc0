package cardinalitylimit

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
)

// The configuration that the README shows is valid.
func TestReadmeConfig(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	_, text, found := strings.Cut(string(readme), "```yaml\n")
	require.True(t, found)
	text, _, _ = strings.Cut(text, "```")
	got, err := confmap.NewRetrievedFromYAML([]byte(text))
	require.NoError(t, err)
	conf, err := got.AsConf()
	require.NoError(t, err)
	sub, err := conf.Sub("processors::cardinalitylimit")
	require.NoError(t, err)
	cfg := createDefaultConfig().(*Config)
	require.NoError(t, sub.Unmarshal(cfg))
	require.NoError(t, confmap.Validate(cfg))
	require.Len(t, cfg.Limits, 3)
}
