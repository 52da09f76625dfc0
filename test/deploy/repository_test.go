package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// fromRoot names a file of the repository.
func fromRoot(parts ...string) string {
	return filepath.Join(append([]string{"..", ".."}, parts...)...)
}

// read gives the content of a file.
func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(content)
}

// run executes a command that must succeed and gives what it printed.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	output, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	require.NoError(t, err, "%s %q: %s", name, args, output)
	return string(output)
}

// gateway is the path of the binary under test.
func gateway(t *testing.T) string {
	t.Helper()
	path := os.Getenv("OTELCOL_CUSTOM")
	require.NotEmpty(t, path, "OTELCOL_CUSTOM must name the gateway's binary: run `make test-deploy`")
	return path
}

// needRoot skips a test, by name, for a user who is not root; REQUIRE_ROOT makes that a failure, as in CI.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() == 0 {
		return
	}
	if os.Getenv("REQUIRE_ROOT") != "" {
		t.Fatal("not root")
	}
	t.Skip("not root")
}
