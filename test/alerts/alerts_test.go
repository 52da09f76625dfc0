// Package alerts tests the alerting rules of deploy/alerts with promtool, which comes with Debian's prometheus.
package alerts

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Each file beside this one is a unit test of the rules of the same name.
func TestRules(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	require.NoError(t, err, "`make deps` installs it")
	rules, err := filepath.Glob("../../deploy/alerts/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, rules)
	for _, file := range rules {
		t.Run(filepath.Base(file), func(t *testing.T) {
			out, err := exec.CommandContext(t.Context(), promtool, "check", "rules", file).CombinedOutput()
			require.NoError(t, err, string(out))
			out, err = exec.CommandContext(t.Context(), promtool, "test", "rules", filepath.Base(file)).CombinedOutput()
			require.NoError(t, err, string(out))
			require.Contains(t, string(out), "SUCCESS")
		})
	}
}
