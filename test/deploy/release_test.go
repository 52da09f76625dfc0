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
	cmd.Env = append(cmd.Env, "GOVULNDB=file://"+t.TempDir()) // findings depend on the day: TestVulncheck has its own database
	printed, err = cmd.CombinedOutput()
	return filepath.Join(tree, "dist"), string(printed), err
}

// TestVulncheck: a database that is not reachable is said to be skipped. A reachable one is asked about the packages of the
// build, and a finding fails the target.
func TestVulncheck(t *testing.T) {
	check := func(db string) (string, error) {
		cmd := exec.CommandContext(t.Context(), "make", "-s", "vulncheck")
		cmd.Dir = fromRoot()
		cmd.Env = append(os.Environ(), "GOVULNDB=file://"+db)
		output, err := cmd.CombinedOutput()
		return string(output), err
	}
	db := t.TempDir()
	output, err := check(db)
	require.NoError(t, err, output)
	assert.Contains(t, output, "govulncheck: skipped, file://"+db+" is not reachable")

	require.NoError(t, os.MkdirAll(filepath.Join(db, "index"), 0o700))
	require.NoError(t, os.MkdirAll(filepath.Join(db, "ID"), 0o700))
	for file, content := range map[string]string{
		"index/db.json":      `{"modified": "2026-01-01T00:00:00Z"}`,
		"index/modules.json": `[{"path": "go.opentelemetry.io/collector/service", "vulns": [{"id": "GO-0000-0001", "modified": "2026-01-01T00:00:00Z"}]}]`,
		"index/vulns.json":   `[{"id": "GO-0000-0001", "modified": "2026-01-01T00:00:00Z"}]`,
		"ID/GO-0000-0001.json": `{"schema_version": "1.3.1", "id": "GO-0000-0001", "modified": "2026-01-01T00:00:00Z", "published": "2026-01-01T00:00:00Z",
			"summary": "made for this test", "affected": [{"package": {"name": "go.opentelemetry.io/collector/service", "ecosystem": "Go"},
			"ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}]}],
			"ecosystem_specific": {"imports": [{"path": "go.opentelemetry.io/collector/service"}]}}]}`,
	} {
		require.NoError(t, os.WriteFile(filepath.Join(db, filepath.FromSlash(file)), []byte(content), 0o600))
	}
	output, err = check(db)
	require.Error(t, err, output)
	assert.Contains(t, output, "GO-0000-0001")
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
	assert.Contains(t, output, "govulncheck: skipped")
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
	assert.FileExists(t, filepath.Join(unpacked, "gatewaytop"))
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
