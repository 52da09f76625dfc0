package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestTune: the host tuning script shows what differs, sets the required values, keeps them in a file, and is then content.
func TestTune(t *testing.T) {
	want := map[string]string{
		"net/core/rmem_max": "134217728", "net/core/wmem_max": "134217728",
		"net/ipv4/tcp_rmem": "4096 65536 134217728", "net/ipv4/tcp_wmem": "4096 65536 134217728",
		"net/core/netdev_max_backlog": "5000", "net/ipv4/tcp_congestion_control": "bbr",
		"vm/swappiness": "10", "vm/dirty_ratio": "15", "vm/dirty_background_ratio": "5",
	}
	root := t.TempDir()
	for setting := range want {
		path := filepath.Join(root, "proc", "sys", setting)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte("4096\t1\t2\n"), 0o600))
	}
	tune := func(args ...string) string {
		cmd := exec.CommandContext(t.Context(), fromRoot("deploy", "host", "tune.sh"), args...)
		cmd.Env = append(os.Environ(), "ROOT="+root)
		output, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", output)
		return string(output)
	}
	assert.Contains(t, tune(), "vm.swappiness = 4096 1 2, better 10\n")
	assert.Equal(t, len(want), strings.Count(tune("show"), "better"))
	kept := filepath.Join(root, "etc", "sysctl.d", "90-otelcol-custom.conf")
	require.NoFileExists(t, kept, "show changes nothing")

	assert.Empty(t, tune("apply"))
	for setting, value := range want {
		assert.Equal(t, value+"\n", read(t, filepath.Join(root, "proc", "sys", setting)))
		assert.Contains(t, read(t, kept), strings.ReplaceAll(setting, "/", ".")+" = "+value+"\n")
	}
	assert.Empty(t, tune("show"), "nothing differs any more")
	assert.Empty(t, tune("remove"))
	assert.NoFileExists(t, kept)
}
