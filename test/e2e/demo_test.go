package e2e

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestDemo: the demonstration names the metric that exploded, keeps its total, exports at least 30 % less, and has
// order_process_time_bucket in Prometheus.
func TestDemo(t *testing.T) {
	dir := t.TempDir()
	for _, program := range []string{"orders", "demo"} {
		source := map[string]string{"orders": "../../examples/orders", "demo": "../../examples/orders/demo"}[program]
		output, err := exec.Command("go", "build", "-o", filepath.Join(dir, program), source).CombinedOutput()
		require.NoError(t, err, "%s", output)
	}
	absolute, err := filepath.Abs(binary)
	require.NoError(t, err)
	require.NoError(t, exec.Command("ln", "-s", absolute, filepath.Join(dir, "otelcol-custom")).Run())
	demo := exec.CommandContext(withTimeout(t), filepath.Join(dir, "demo"), "-bin", dir, "-duration", "12s", "-rate", "200")
	demo.Dir = "../.."
	output, err := demo.CombinedOutput()
	require.NoError(t, err, "%s", output)
	t.Logf("%s", output)
	number := func(expression string) float64 {
		m := regexp.MustCompile(expression).FindSubmatch(output)
		require.NotNil(t, m, expression)
		n, err := strconv.ParseFloat(string(m[1]), 64)
		require.NoError(t, err)
		return n
	}
	// The last of the 500 places are for series that continue, and the text of an error comes only once.
	held := number(`order\.errors: (\d+) series`)
	assert.GreaterOrEqual(t, held, 401.0)
	assert.LessOrEqual(t, held, 501.0)
	assert.Greater(t, number(`total of (\d+) errors`), held, "what is over the limit is in the total")
	assert.GreaterOrEqual(t, number(`, (\d+) % less`), 30.0)
	assert.Positive(t, number(`(\d+) series of order_process_time_bucket`))
	assert.Positive(t, number(`complete: (\d+) spans`))
	assert.Regexp(t, `series wanted: .*metric=order\.errors`, string(output))
}
