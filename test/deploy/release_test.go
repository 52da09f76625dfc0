package deploy

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// release runs the release target in a copy of the tree that is a commit of its own, for this machine's platform.
func release(t *testing.T, tag string) (dist, output string, err error) {
	t.Helper()
	tree := copyTree(t)
	commit := exec.CommandContext(t.Context(), "bash", "-c", `git init -q && git add -A -f . && git -c user.name=test -c user.email=test@example.com commit -qm test`)
	commit.Dir = tree
	commit.Env = append(os.Environ(), "GIT_COMMITTER_DATE=2026-01-01T00:00:00Z", "GIT_AUTHOR_DATE=2026-01-01T00:00:00Z")
	printed, cerr := commit.CombinedOutput()
	require.NoError(t, cerr, "%s", printed)
	cmd := exec.CommandContext(t.Context(), "make", "-s", "release", "TAG="+tag, "PLATFORMS="+goEnv(t, "GOOS")+"/"+goEnv(t, "GOARCH"))
	cmd.Dir = tree
	// The variables of the make that runs this test are not the copy's.
	for _, setting := range os.Environ() {
		if name, _, _ := strings.Cut(setting, "="); !strings.HasPrefix(name, "MAKE") && name != "MFLAGS" && name != "SOURCE_DATE_EPOCH" {
			cmd.Env = append(cmd.Env, setting)
		}
	}
	printed, err = cmd.CombinedOutput()
	return filepath.Join(tree, "dist"), string(printed), err
}

// TestRelease: a tag that is not the version is refused. Two releases of one commit in different folders have the same bytes,
// and their checksums agree. The SBOM names the Collector's modules and Go.
func TestRelease(t *testing.T) {
	_, output, err := release(t, "v9.9.9")
	require.Error(t, err)
	require.Contains(t, output, `TAG: must be v0.1.0, the version of builder-config.yaml (got "v9.9.9")`)

	first, output, err := release(t, "v0.1.0")
	require.NoError(t, err, "%s", output)
	assert.Contains(t, output, "They are not signed")
	second, output, err := release(t, "v0.1.0")
	require.NoError(t, err, "%s", output)
	sums := read(t, filepath.Join(first, "SHA256SUMS"))
	assert.Equal(t, sums, read(t, filepath.Join(second, "SHA256SUMS")))
	assert.Equal(t, 4, strings.Count(sums, "\n"), "archive, deb, rpm and SBOM: %s", sums)
	run(t, "sh", "-c", `cd "$0" && sha256sum --quiet --check SHA256SUMS`, first)

	unpacked := t.TempDir()
	archives, err := filepath.Glob(filepath.Join(first, "*.tar.gz"))
	require.NoError(t, err)
	require.Len(t, archives, 1)
	run(t, "tar", "-xzf", archives[0], "-C", unpacked, "--strip-components=1")
	run(t, "cmp", filepath.Join(unpacked, "otelcol-custom"), gateway(t))
	assert.Equal(t, "otelcol-custom version 0.1.0\n", run(t, filepath.Join(unpacked, "otelcol-custom"), "--version"))

	var sbom struct {
		Components []struct{ Name, Version string }
	}
	found, err := filepath.Glob(filepath.Join(first, "*.cdx.json"))
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.NoError(t, json.Unmarshal([]byte(read(t, found[0])), &sbom))
	versions := map[string]string{}
	for _, c := range sbom.Components {
		versions[c.Name] = c.Version
	}
	assert.Greater(t, len(versions), 200)
	assert.Equal(t, "v0.159.0", versions["go.opentelemetry.io/collector/service"])
}
