package e2e

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// checkSelfTelemetryPage: every metric that docs/self-telemetry.md names was scraped.
func (o *observed) checkSelfTelemetryPage(t *testing.T, scraped map[string]bool) {
	t.Helper()
	content, err := os.ReadFile("../../docs/self-telemetry.md")
	require.NoError(t, err)
	rows := 0
	for line := range strings.Lines(string(content)) {
		cells := strings.Split(line, "|")
		if len(cells) != 4 || !strings.HasPrefix(line, "| `") {
			continue
		}
		rows++
		for _, name := range metricName.FindAllString(cells[2], -1) {
			assert.True(t, scraped[name] || scraped[name+"_count"], "%s has %s, which no gateway has", strings.TrimSpace(cells[1]), name)
		}
	}
	assert.Equal(t, 14, rows)
}
