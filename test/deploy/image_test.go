package deploy

import (
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// imageUser is the user of the image.
const imageUser = 10001

// debianRoot is a small Debian that `make deps-deploy` has downloaded.
func debianRoot(t *testing.T) string {
	t.Helper()
	needRoot(t)
	root := os.Getenv("DEBIAN_ROOT")
	require.NotEmpty(t, root, "DEBIAN_ROOT must name a Debian root: run `make test-deploy`")
	require.DirExists(t, root, "run `make deps-deploy`")
	return root
}

// builder runs buildah with images of its own and without a daemon.
type builder struct {
	t   *testing.T
	dir string
}

func newBuilder(t *testing.T) *builder {
	b := &builder{t: t, dir: t.TempDir()}
	t.Cleanup(func() {
		_ = exec.Command("buildah", b.args("unmount", "--all")...).Run() // else the folder cannot be removed
		_ = exec.Command("buildah", b.args("rm", "--all")...).Run()
		_ = exec.Command("buildah", b.args("rmi", "--all", "--force")...).Run()
		_ = syscall.Unmount(filepath.Join(b.dir, "images", "overlay"), 0) // buildah leaves it mounted
	})
	// The caches of the build: those of the machine, so that nothing is downloaded or compiled twice.
	cache := filepath.Join(b.dir, "tmp", "buildah-cache")
	require.NoError(t, os.MkdirAll(filepath.Join(cache, "go", "pkg"), 0o700))
	require.NoError(t, os.Symlink(goEnv(t, "GOMODCACHE"), filepath.Join(cache, "go", "pkg", "mod")))
	require.NoError(t, os.Symlink(goEnv(t, "GOCACHE"), filepath.Join(cache, "cache")))
	return b
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	return strings.TrimSpace(run(t, "go", "env", name))
}

func (b *builder) args(args ...string) []string {
	return append([]string{"--root", filepath.Join(b.dir, "images"), "--runroot", filepath.Join(b.dir, "run")}, args...)
}

// buildah gives the last line that the command printed.
func (b *builder) buildah(args ...string) string {
	b.t.Helper()
	cmd := exec.CommandContext(b.t.Context(), "buildah", b.args(args...)...)
	cmd.Env = append(os.Environ(), "TMPDIR="+filepath.Join(b.dir, "tmp"))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	output, err := cmd.Output()
	require.NoError(b.t, err, "%q: %s%s", args, output, stderr.String())
	lines := strings.Split(strings.TrimSpace(string(output)), "\n")
	return lines[len(lines)-1]
}

// makeBase makes the image that the Dockerfile builds on: Debian with this machine's Go.
func (b *builder) makeBase() {
	id := b.buildah("from", "scratch")
	b.buildah("copy", "--quiet", id, debianRoot(b.t), "/")
	b.buildah("copy", "--quiet", id, goEnv(b.t, "GOROOT"), "/usr/local/go")
	b.buildah("config", "--env", "PATH=/usr/local/go/bin:/usr/bin:/bin", "--env", "GOTOOLCHAIN=local", "--env", "GOPATH=/go", id)
	b.buildah("commit", "--quiet", "--rm", id, "docker.io/library/golang:1.26-bookworm")
}

// image is what the tests look at in a built image's configuration.
type image struct {
	Config struct {
		User         string
		Env          []string
		Entrypoint   []string
		Cmd          []string
		Labels       map[string]string
		Volumes      map[string]any
		ExposedPorts map[string]any
		Healthcheck  struct {
			Test                           []string
			Interval, Timeout, StartPeriod int64
			Retries                        int
		}
	} `json:"config"`
}

// TestImage builds the Dockerfile whole, without a daemon and without a network, and runs the image as its user on a
// read-only root: it gets ready, its health check says so, and its log is private. The binary is the one of `make build`.
func TestImage(t *testing.T) {
	debianRoot(t)
	b := newBuilder(t)
	b.makeBase()
	tree := copyTree(t)
	b.buildah("bud", "--quiet", "--pull-never", "--isolation", "chroot", "--format", "docker", "--build-arg", "GOPROXY=off", "--tag", "gateway", tree)
	id := b.buildah("from", "--pull-never", "localhost/gateway")
	root := b.buildah("mount", id)

	var inspected struct{ Docker image }
	output, err := exec.CommandContext(t.Context(), "buildah", b.args("inspect", "--type", "image", "localhost/gateway")...).Output()
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(output, &inspected))
	config := inspected.Docker.Config
	assert.Equal(t, "10001:10001", config.User)
	assert.Equal(t, "0.1.0", config.Labels["org.opencontainers.image.version"])
	assert.Equal(t, "Apache-2.0", config.Labels["org.opencontainers.image.licenses"])
	assert.Contains(t, config.Volumes, "/var/lib/otelcol/fallbacklog")
	assert.Contains(t, config.ExposedPorts, "8125/udp")
	health := config.Healthcheck
	assert.Equal(t, []int64{30e9, 3e9, 5e9, 3}, []int64{health.Interval, health.Timeout, health.StartPeriod, int64(health.Retries)})

	info, err := os.Stat(filepath.Join(root, "var/lib/otelcol/fallbacklog"))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	assert.EqualValues(t, imageUser, info.Sys().(*syscall.Stat_t).Uid)
	for _, file := range []string{"etc/ssl/certs/ca-certificates.crt", "etc/otelcol-custom/production.yaml", "fallbacklog", "doctor"} {
		assert.FileExists(t, filepath.Join(root, file))
	}
	assert.NoFileExists(t, filepath.Join(root, "bin/sh"))
	run(t, "cmp", filepath.Join(root, "otelcol-custom"), gateway(t))

	c := container{env: map[string]string{}}
	for _, setting := range config.Env {
		name, value, _ := strings.Cut(setting, "=")
		if strings.HasPrefix(value, "0.0.0.0:") {
			value = freeAddress(t)
		}
		c.env[name] = value
	}
	c.env["TELEMETRY_HOST"], c.env["TELEMETRY_PORT"], err = net.SplitHostPort(freeAddress(t))
	require.NoError(t, err)
	c.env["PPROF_ENDPOINT"], c.env["ZPAGES_ENDPOINT"], c.env["OTLP_ENDPOINT"] = freeAddress(t), freeAddress(t), freeAddress(t)
	c.env["GATEWAYPAGE_ENDPOINT"] = freeAddress(t)
	command := append(config.Entrypoint, config.Cmd...)

	c.ready = "http://" + c.env["PROBES_ENDPOINT"] + "/readyz"

	logs := filepath.Join(t.TempDir(), "volume")
	require.NoError(t, os.Mkdir(logs, 0o755)) //nolint:gosec // as a runtime makes it, for root
	cmd := isolated(t, root, logs, c.env, command...)
	refused, err := cmd.CombinedOutput()
	require.Error(t, err, "the volume belongs to root")
	assert.Contains(t, string(refused), "log::directory: must be writable for user 10001")
	assert.Contains(t, string(refused), "fsGroup")

	require.NoError(t, os.Chmod(logs, 0o700)) //nolint:gosec // a folder
	require.NoError(t, os.Chown(logs, imageUser, imageUser))
	cmd = isolated(t, root, logs, c.env, command...)
	c.runAs(t, cmd, func() {
		require.Equal(t, http.StatusOK, c.postOneLog(t))
		// The last is what HEALTHCHECK asks: it must answer with every configuration of the image, and not all have the probes.
		for _, url := range []string{c.ready, "http://" + c.env["PROBES_ENDPOINT"] + "/livez", "http://" + c.env["HEALTH_CHECK_ENDPOINT"] + "/"} {
			probe, err := isolated(t, root, logs, nil, "/healthprobe", url).CombinedOutput()
			require.NoError(t, err, "%s", probe)
		}
		probe, err := isolated(t, root, logs, nil, "/healthprobe", "http://"+freeAddress(t)+"/").CombinedOutput()
		require.Error(t, err, "%s", probe)
	})
	entries, err := os.ReadDir(logs)
	require.NoError(t, err)
	require.NotEmpty(t, entries)
	require.NoError(t, filepath.WalkDir(logs, func(path string, entry os.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := entry.Info()
		require.NoError(t, err)
		assert.Zero(t, info.Mode().Perm()&0o077, path)
		assert.EqualValues(t, imageUser, info.Sys().(*syscall.Stat_t).Uid, path)
		return nil
	}))
}

// copyTree copies what git knows, links as links.
func copyTree(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	run(t, "bash", "-c", `cd ../.. && git ls-files -z | xargs -0 cp -P --parents -t "$0"`, dir)
	return dir
}

// inContainer runs the command that follows it as the image's user, on a read-only root with one writable volume. $1 is the
// root, $2 the folder of the volume.
const inContainer = `set -e
mount --bind "$1" "$1"
mount -t proc proc "$1/proc" 2>/dev/null || true
mount --bind "$2" "$1/var/lib/otelcol/fallbacklog"
mount -o remount,bind,ro "$1"
root=$1; shift 2
exec chroot --userspec=10001:10001 "$root" "$@"`

func isolated(t *testing.T, root, volume string, env map[string]string, command ...string) *exec.Cmd {
	t.Helper()
	for dir := filepath.Dir(volume); dir != "/"; dir = filepath.Dir(dir) {
		require.NoError(t, os.Chmod(dir, 0o755)) //nolint:gosec // the image's user passes
	}
	cmd := exec.CommandContext(t.Context(), "unshare", append([]string{"--mount", "sh", "-c", inContainer, "sh", root, volume}, command...)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	for name, value := range env {
		if name != "PATH" {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	return cmd
}
