package e2e

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// imageUser is the user of the image.
const imageUser = 10001

// inContainer runs a command on a read-only root, with /proc and one writable directory, as the image's user. $1 is the root,
// and the command comes after it.
const inContainer = `set -e
mount --bind "$1" "$1"
mount -t proc proc "$1/proc"
mount --bind "$1/var/lib/otelcol/fallbacklog" "$1/var/lib/otelcol/fallbacklog"
mount -o remount,bind,ro "$1"
root=$1; shift
exec chroot --userspec=10001:10001 "$root" "$@"`

// TestUnprivilegedWithAReadOnlyRoot: the gateway runs as the image's user, on a root that it cannot write to, and owns its log.
func TestUnprivilegedWithAReadOnlyRoot(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root for a mount namespace")
	}
	root := t.TempDir()
	logs := filepath.Join(root, "var/lib/otelcol/fallbacklog")
	for _, dir := range []string{logs, filepath.Join(root, "proc"), filepath.Join(root, "etc")} {
		require.NoError(t, os.MkdirAll(dir, 0o755))
	}
	for dir := root; dir != "/"; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		require.NoError(t, err)
		if info.Mode().Perm()&0o005 != 0o005 {
			require.NoError(t, os.Chmod(dir, info.Mode().Perm()|0o005)) // the image's user passes
		}
	}
	require.NoError(t, os.Chmod(logs, 0o700))
	require.NoError(t, os.Chown(logs, imageUser, imageUser))
	copyFile := func(from, to string, mode os.FileMode) {
		content, err := os.ReadFile(from)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(root, to), content, mode))
	}
	copyFile(binary, "otelcol-custom", 0o755)
	copyFile(config("quickstart.yaml"), "etc/quickstart.yaml", 0o644)

	g := newGateway(t, "quickstart.yaml")
	g.log = logs
	output := &syncBuffer{}
	cmd := exec.Command("unshare", "--mount", "sh", "-c", inContainer, "sh", root, "/otelcol-custom", "--config", "/etc/quickstart.yaml")
	cmd.Stdout, cmd.Stderr = output, output
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	g.env["FALLBACKLOG_DIRECTORY"] = "/var/lib/otelcol/fallbacklog"
	for name, value := range g.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	require.NoError(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // unshare and chroot have become the gateway
		if t.Failed() {
			t.Log(output.tail(4000))
		}
	})
	eventually(t, "the gateway is ready", func() bool {
		response, err := http.Get("http://" + g.health)
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	require.Equal(t, http.StatusOK, g.post(t, "/v1/logs", logsOf(1)))
	eventually(t, "the log has the record", func() bool { return strings.Contains(g.logged(t, "logs"), "logRecords") })
	require.NoError(t, filepath.WalkDir(logs, func(path string, entry os.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := entry.Info()
		require.NoError(t, err)
		assert.EqualValues(t, imageUser, info.Sys().(*syscall.Stat_t).Uid, path)
		assert.Zero(t, info.Mode().Perm()&0o077, path)
		return nil
	}))
	process := "/proc/" + strconv.Itoa(cmd.Process.Pid)
	status, err := os.ReadFile(process + "/status")
	require.NoError(t, err)
	assert.Contains(t, string(status), "Uid:\t10001\t10001\t10001\t10001")
	assert.Contains(t, string(status), "CapEff:\t0000000000000000")
	mounts, err := os.ReadFile(process + "/mounts")
	require.NoError(t, err)
	assert.Regexp(t, `(?m)^\S+ / \S+ ro[, ]`, string(mounts), "the root is read-only")
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, <-ended)
}
