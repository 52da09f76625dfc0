package bench

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/open-telemetry/opentelemetry-collector-contrib/receiver/statsdreceiver"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/receiver"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp"
)

// TestStatsdExamples sends the examples of the statsd receiver's README to that receiver and to metricsudp, with each of its
// configurations. Both have the same output.
func TestStatsdExamples(t *testing.T) {
	for _, a := range archives(t, "examples") {
		t.Run(strings.TrimSuffix(filepath.Base(a.path), ".txt"), func(t *testing.T) {
			t.Parallel()
			keys := keysOf(t, a.get("config"))
			capture := parseCapture(t, a.get("send"))
			statsd := replay(t, statsdreceiver.NewFactory(), keys, capture)
			a.golden(t, "both", statsd)
			require.Equal(t, statsd, replay(t, metricsudp.NewFactory(), switched(keys), capture))
		})
	}
}

// TestStatsdDifferences demonstrates each row of the table of differences.
func TestStatsdDifferences(t *testing.T) {
	for _, a := range archives(t, "differences") {
		t.Run(strings.TrimSuffix(filepath.Base(a.path), ".txt"), func(t *testing.T) {
			t.Parallel()
			keys := keysOf(t, a.get("config"))
			run := func(factory receiver.Factory, keys map[string]any) string {
				if sent := a.get("interrupted"); sent != "" {
					return interrupt(t, factory, keys, parseCapture(t, sent)[0])
				}
				return replay(t, factory, keys, parseCapture(t, a.get("send")))
			}
			statsd, ours := run(statsdreceiver.NewFactory(), keys), run(metricsudp.NewFactory(), switched(keys))
			require.NotEqual(t, statsd, ours, "the difference does not exist any more")
			a.golden(t, "statsd", statsd)
			a.golden(t, "metricsudp", ours)
		})
	}
}

// The table in docs/metricsudp/switching.md has the rows that TestStatsdDifferences demonstrates, and no others.
func TestStatsdDifferencesAreDocumented(t *testing.T) {
	content, err := os.ReadFile(filepath.Join("..", "docs", "metricsudp", "switching.md"))
	require.NoError(t, err)
	_, table, found := strings.Cut(string(content), "\n| | here | there |\n|---|---|---|\n")
	require.True(t, found)
	table, _, _ = strings.Cut(table, "\n\n")
	var want []string
	for _, a := range archives(t, "differences") {
		parts := strings.Split(strings.TrimSpace(a.comment), "\n")
		require.Len(t, parts, 3, a.path)
		ours, isOurs := strings.CutPrefix(parts[1], "Here: ")
		theirs, isTheirs := strings.CutPrefix(parts[2], "There: ")
		require.True(t, isOurs && isTheirs, a.path)
		want = append(want, "| "+parts[0]+" | "+ours+" | "+theirs+" |")
	}
	assert.ElementsMatch(t, want, strings.Split(table, "\n"))
}

// switched returns the configuration of metricsudp that replaces one of the statsd receiver.
func switched(keys map[string]any) map[string]any {
	return over(keys, map[string]any{"compatibility": "statsd"})
}

func over(keys, more map[string]any) map[string]any {
	all := maps.Clone(keys)
	maps.Copy(all, more)
	return all
}

func keysOf(t *testing.T, yaml string) map[string]any {
	t.Helper()
	retrieved, err := confmap.NewRetrievedFromYAML([]byte(yaml))
	require.NoError(t, err)
	conf, err := retrieved.AsConf()
	require.NoError(t, err)
	return conf.ToStringMap()
}
