package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestSendersOverUDPCanBeRestricted: lines from a source outside allowed_cidrs are counted and have no effect. An endpoint on
// loopback is not reachable at other addresses of the host. Only the owner can use a Unix socket with socket_permissions.
func TestSendersOverUDPCanBeRestricted(t *testing.T) {
	dir, err := os.MkdirTemp("", "udp") //nolint:usetesting // t.TempDir is too long for a socket, and closed to others
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, 0o755))
	socket, strangers := filepath.Join(dir, "s"), freeUDPAddress(t)
	g := newGateway(t, "quickstart.yaml", fmt.Sprintf(`
receivers:
  metricsudp: {temporality: delta, aggregation_interval: 200ms, allowed_cidrs: [127.0.0.0/8]}
  metricsudp/strangers: {endpoint: %q, temporality: delta, aggregation_interval: 200ms, allowed_cidrs: [192.0.2.0/24]}
  metricsudp/file: {transport: unixgram, endpoint: %q, socket_permissions: 0600, temporality: delta, aggregation_interval: 200ms}
service: {pipelines: {metrics: {receivers: [metricsudp, metricsudp/strangers, metricsudp/file]}}}
`, strangers, socket))
	b := startBackend(t, g.backend)
	g.start()

	const denied = 25
	for range denied {
		sendUDP(t, strangers, "denied:1|c")
	}
	sendUDP(t, g.udp, "allowed:3|c")
	eventually(t, "what is allowed arrives", func() bool { return b.sum("allowed") == 3 })
	eventually(t, "what is denied is counted", func() bool {
		return g.own("otelcol_receiver_metricsudp_denied_datagrams_total", "receiver", "metricsudp/strangers") == denied
	})
	assert.Zero(t, g.own("otelcol_receiver_metricsudp_lines_total", "receiver", "metricsudp/strangers"))
	assert.Zero(t, b.sum("denied"))

	_, port, err := net.SplitHostPort(g.udp)
	require.NoError(t, err)
	for _, address := range otherAddresses(t) {
		conn, err := net.Dial("udp", net.JoinHostPort(address, port))
		require.NoError(t, err)
		_, err = conn.Write([]byte("elsewhere:1|c"))
		require.NoError(t, err)
		_, err = conn.Read(make([]byte, 1)) // the host's answer: port unreachable
		require.ErrorIs(t, err, syscall.ECONNREFUSED, address)
		require.NoError(t, conn.Close())
	}

	info, err := os.Stat(socket)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	conn, err := net.Dial("unixgram", socket)
	require.NoError(t, err)
	_, err = conn.Write([]byte("owner:5|c"))
	require.NoError(t, err)
	require.NoError(t, conn.Close())
	eventually(t, "the owner's lines arrive", func() bool { return b.sum("owner") == 5 })
	if os.Getuid() == 0 {
		output, err := asNobody("test", "-w", socket).CombinedOutput()
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit, "%s", output)
		require.NoError(t, os.Chmod(socket, 0o622))
		output, err = asNobody("test", "-w", socket).CombinedOutput()
		require.NoError(t, err, "the check is of the mode: %s", output)
	}
	g.stop()
}

// asNobody runs a command as a user without files.
func asNobody(name string, arguments ...string) *exec.Cmd {
	const nobody = 65534
	cmd := exec.Command(name, arguments...)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	return cmd
}

// otherAddresses are the IPv4 addresses of this host that are not loopback.
func otherAddresses(t *testing.T) (out []string) {
	t.Helper()
	all, err := net.InterfaceAddrs()
	require.NoError(t, err)
	for _, address := range all {
		if ip, ok := address.(*net.IPNet); ok && !ip.IP.IsLoopback() && ip.IP.To4() != nil {
			out = append(out, ip.IP.String())
		}
	}
	return out
}
