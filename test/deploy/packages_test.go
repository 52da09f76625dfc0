package deploy

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// makePackage builds a package of the binaries under test and gives its path.
func makePackage(t *testing.T, packager, version string) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "make", "-s", "packages", "VERSION="+version, "DIST="+dir, "BIN="+filepath.Dir(gateway(t)), "PACKAGERS="+packager)
	cmd.Dir = fromRoot()
	output, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", output)
	found, err := filepath.Glob(filepath.Join(dir, "*."+packager))
	require.NoError(t, err)
	require.Len(t, found, 1)
	return found[0]
}

// packaged are files of both packages: a user of the page, the log and the alerts needs no other download.
var packaged = []string{
	"/usr/bin/fallbacklog", "/usr/bin/gatewaytop", "/usr/bin/otelcol-custom-doctor",
	"/usr/share/doc/otelcol-custom/alerts/cardinality.yaml", "/usr/share/doc/otelcol-custom/runbooks/CardinalityLimitReached.md",
}

// inRoot runs a command in a root, as root or as the user that userspec names.
func inRoot(t *testing.T, root, userspec string, command ...string) *exec.Cmd {
	t.Helper()
	args := []string{root}
	if userspec != "" {
		args = []string{"--userspec=" + userspec, root}
	}
	cmd := exec.CommandContext(t.Context(), "chroot", append(args, command...)...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive"}
	return cmd
}

// dpkg runs dpkg in a root and gives what it printed.
func dpkg(t *testing.T, root string, args ...string) string {
	t.Helper()
	output, err := inRoot(t, root, "", append([]string{"dpkg"}, args...)...).CombinedOutput()
	require.NoError(t, err, "dpkg %q: %s", args, output)
	return string(output)
}

// TestDebianPackage installs the package in a Debian root, verifies the unit, runs its command as its user, upgrades over a
// changed configuration, and removes the package: configuration and log stay until it is purged.
func TestDebianPackage(t *testing.T) {
	source := debianRoot(t)
	root := filepath.Join(t.TempDir(), "root")
	run(t, "cp", "-a", source, root)
	for dir := filepath.Dir(root); dir != "/"; dir = filepath.Dir(dir) {
		require.NoError(t, os.Chmod(dir, 0o755)) //nolint:gosec // the service's user passes
	}
	install := func(version string) {
		run(t, "cp", makePackage(t, "deb", version), filepath.Join(root, "gateway.deb"))
		dpkg(t, root, "--install", "/gateway.deb")
	}
	install("0.1.0")
	assert.Subset(t, strings.Fields(dpkg(t, root, "--listfiles", "otelcol-custom")), packaged)

	unit := filepath.Join(root, "usr/lib/systemd/system/otelcol-custom.service")
	run(t, "systemd-analyze", "verify", "--root="+root, "otelcol-custom.service")
	exposure := regexp.MustCompile(`Overall exposure level[^:]*: ([0-9.]+)`).FindStringSubmatch(run(t, "systemd-analyze", "security", "--offline=true", unit))
	require.NotNil(t, exposure)
	assert.Less(t, exposure[1], "2", "of 10, where 10 is unprotected")

	service := settings(read(t, unit))
	passwd, err := inRoot(t, root, "", "getent", "passwd", service["User"]).Output()
	require.NoError(t, err)
	assert.Contains(t, string(passwd), "/usr/sbin/nologin")
	info, err := os.Stat(filepath.Join(root, "etc/otelcol-custom/environment"))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o640), info.Mode().Perm(), "the API key may be in it")
	// As systemd makes it for StateDirectory.
	state, err := inRoot(t, root, "", "install", "-d", "-m", service["StateDirectoryMode"], "-o", service["User"], "-g", service["Group"], "/var/lib/"+service["StateDirectory"]).CombinedOutput()
	require.NoError(t, err, "%s", state)

	user := service["User"] + ":" + service["Group"]
	c := container{env: settings(read(t, filepath.Join(root, "etc/otelcol-custom/environment")))}
	for _, name := range []string{"OTLP_GRPC_ENDPOINT", "OTLP_HTTP_ENDPOINT", "METRICSUDP_ENDPOINT", "HEALTH_CHECK_ENDPOINT", "PPROF_ENDPOINT", "ZPAGES_ENDPOINT", "OTLP_ENDPOINT"} {
		c.env[name] = freeAddress(t)
	}
	c.env["OTLP_INSECURE"] = "true"
	c.ready = "http://" + c.env["HEALTH_CHECK_ENDPOINT"] + "/"
	c.env["TELEMETRY_HOST"], c.env["TELEMETRY_PORT"], err = net.SplitHostPort(freeAddress(t))
	require.NoError(t, err)
	command := func(line string) *exec.Cmd {
		cmd := inRoot(t, root, user, strings.Fields(line)...)
		for name, value := range c.env {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
		return cmd
	}
	require.True(t, strings.HasPrefix(service["ExecReload"], "/usr/bin/otelcol-custom validate "), "a reload validates first")
	output, err := command(service["ExecReload"]).CombinedOutput()
	require.NoError(t, err, "%s", output)
	c.runAs(t, command(service["ExecStart"]), func() {
		require.Equal(t, http.StatusOK, c.postOneLog(t))
	})
	log := filepath.Join(root, c.env["FALLBACKLOG_DIRECTORY"])
	require.NotEmpty(t, run(t, "grep", "-rl", "swordfish", log))

	config := filepath.Join(root, "etc/otelcol-custom/config.yaml")
	require.NoError(t, os.WriteFile(config, []byte(read(t, config)+"# mine\n"), 0o600))
	install("0.1.1")
	assert.Contains(t, read(t, config), "# mine", "an upgrade keeps what was changed")
	assert.Contains(t, dpkg(t, root, "--status", "otelcol-custom"), "Version: 0.1.1")

	dpkg(t, root, "--remove", "otelcol-custom")
	assert.NoFileExists(t, filepath.Join(root, "usr/bin/otelcol-custom"))
	assert.FileExists(t, config)
	dpkg(t, root, "--purge", "otelcol-custom")
	assert.NoFileExists(t, config)
	assert.DirExists(t, log, "undelivered data stays")
}

// settings are the first values of the names in a unit or an environment file.
func settings(text string) map[string]string {
	found := map[string]string{}
	for line := range strings.Lines(text) {
		name, value, isSetting := strings.Cut(strings.TrimSpace(line), "=")
		if _, repeated := found[name]; isSetting && !repeated && !strings.HasPrefix(name, "#") {
			found[name] = value
		}
	}
	return found
}

// TestRPM unpacks the package into a root of its own: it has the files of the deb, its configuration is not replaced, and
// it asks for what its script calls.
func TestRPM(t *testing.T) {
	needRoot(t)
	file := makePackage(t, "rpm", "0.1.0")
	assert.Equal(t, "otelcol-custom 0.1.0 Apache-2.0", run(t, "rpm", "-qp", "--queryformat", "%{NAME} %{VERSION} %{LICENSE}", file))
	assert.Contains(t, run(t, "rpm", "-qp", "--requires", file), "shadow-utils")
	assert.Equal(t, "/etc/otelcol-custom/config.yaml\n/etc/otelcol-custom/environment\n", run(t, "rpm", "-qpc", file))
	assert.Contains(t, run(t, "rpm", "-qp", "--scripts", file), "useradd --system")
	assert.Contains(t, run(t, "rpm", "-qp", "--queryformat", "[%{FILEFLAGS:fflags} %{FILENAMES}\n]", file), "cn /etc/otelcol-custom/config.yaml")

	assert.Subset(t, strings.Fields(run(t, "rpm", "-qpl", file)), packaged)

	root := t.TempDir()
	run(t, "rpm", "--root", root, "--install", "--nodeps", "--noscripts", file)
	run(t, "cmp", filepath.Join(root, "usr/bin/otelcol-custom"), gateway(t))
	run(t, filepath.Join(root, "usr/bin/otelcol-custom"), "validate", "--config", filepath.Join(root, "etc/otelcol-custom/config.yaml"))
	run(t, filepath.Join(root, "usr/bin/fallbacklog"), "--version")
	assert.FileExists(t, filepath.Join(root, "usr/lib/systemd/system/otelcol-custom.service"))
}
