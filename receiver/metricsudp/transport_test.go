package metricsudp

import (
	"context"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/metadata"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/socket"
)

func TestTransportKeys(t *testing.T) {
	long := "/" + strings.Repeat("x", socket.MaxPath)
	for _, tt := range []struct {
		keys map[string]any
		want string // of the error; "" for none
	}{
		{map[string]any{"transport": "unixgram"}, ""},
		{map[string]any{"transport": "unixgram", "readers": 1, "endpoint": "@metrics", "socket_permissions": 0o777}, ""},
		{map[string]any{"transport": "unixgram", "endpoint": ""}, `endpoint: must be a path of at most`},
		{map[string]any{"transport": "unixgram", "endpoint": "@"}, `endpoint: must be a path of at most`},
		{map[string]any{"transport": "unixgram", "endpoint": "/a\x00b"}, `endpoint: must be a path of at most`},
		{map[string]any{"transport": "unixgram", "endpoint": long[1:]}, ""},
		{map[string]any{"transport": "unixgram", "endpoint": long}, `endpoint: must be a path of at most`},
		{map[string]any{"transport": "unixgram", "readers": 2}, `readers: must be 1 or left out, as a Unix socket is not shared (got 2)`},
		{map[string]any{"transport": "unixgram", "allowed_cidrs": []any{"10.0.0.0/8"}}, `allowed_cidrs: must be left out, as the senders to a Unix socket have no address (got [10.0.0.0/8])`},
		{map[string]any{"transport": "unixgram", "socket_permissions": 622}, `socket_permissions: must be an octal file mode from 0 to 0777 (got 01156)`},
		{map[string]any{"transport": "unixgram", "socket_permissions": -1}, `socket_permissions: must be an octal file mode from 0 to 0777`},
		{map[string]any{"transport": "unixgram", "socket_permissions": int64(1<<32 + 0o622)}, `socket_permissions: must be an octal file mode from 0 to 0777 (got 040000000622)`},
		{map[string]any{"socket_permissions": 0o622}, `socket_permissions: must be left out unless transport is unixgram or unix (got 0622)`},
		{map[string]any{"transport": "tcp", "socket_permissions": 0o622}, `socket_permissions: must be left out unless transport is unixgram or unix (got 0622)`},
		{map[string]any{"transport": "unix", "readers": 4, "framing": "newline"}, ""},
		{map[string]any{"transport": "unix", "allowed_cidrs": []any{"10.0.0.0/8"}}, `allowed_cidrs: must be left out`},
		{map[string]any{"transport": "unix", "tls": map[string]any{"cert_file": "c", "key_file": "k"}}, `tls: must be left out unless transport is tcp, tcp4 or tcp6 (got "set")`},
		{map[string]any{"tls": map[string]any{"cert_file": "c", "key_file": "k"}}, `tls: must be left out unless`},
		{map[string]any{"transport": "tcp", "allowed_cidrs": []any{"10.0.0.0/8"}, "framing": "length", "max_connections": 10, "idle_timeout": "0s"}, ""},
		{map[string]any{"transport": "tcp4", "tls": map[string]any{"cert_file": "c", "key_file": "k"}}, ""},
		{map[string]any{"transport": "tcp6", "framing": "varint"}, `framing: must be one of newline, length (got "varint")`},
		{map[string]any{"transport": "tcp", "max_connections": 0}, `max_connections: must be from 1 to 65536 (got 0)`},
		{map[string]any{"transport": "tcp", "max_connections": 5000}, `max_connections: must be such that max_connections x max_datagram_size is at most 268435456 bytes (got 5000 x 65527)`},
		{map[string]any{"transport": "tcp", "max_connections": 30000, "max_datagram_size": 8192}, ""},
		{map[string]any{"transport": "tcp", "idle_timeout": "-1s"}, `idle_timeout: must be 0 or more (got -1s)`},
		{map[string]any{"framing": "newline"}, `framing: must be left out unless transport is tcp, tcp4, tcp6 or unix (got "newline")`},
		{map[string]any{"transport": "unixgram", "max_connections": 5}, `max_connections: must be left out unless transport is tcp, tcp4, tcp6 or unix (got 5)`},
		{map[string]any{"idle_timeout": "1m"}, `idle_timeout: must be left out unless transport is tcp, tcp4, tcp6 or unix (got 1m0s)`},
		{map[string]any{"allowed_cidrs": []any{"::ffff:0.0.0.0/96", "::/64", "10.0.0.0/8"}}, ""},
		{map[string]any{"allowed_cidrs": []any{"::ffff:0.0.0.0/95"}}, `allowed_cidrs::0: must be an address range such as 10.0.0.0/8 (got "::ffff:0.0.0.0/95")`},
	} {
		cfg, err := decode(t, tt.keys)
		require.NoError(t, err)
		err = cfg.Validate()
		switch {
		case !socket.HasUnix && cfg.isUnix():
			require.ErrorContains(t, err, `transport: must be one of udp, udp4, udp6, tcp, tcp4, tcp6, as this system has no Unix sockets`)
		case tt.want != "":
			require.ErrorContains(t, err, tt.want)
		default:
			require.NoError(t, err, "%v", tt.keys)
		}
	}
}

func TestSocketDefaults(t *testing.T) {
	cfg, err := decode(t, map[string]any{"transport": "unixgram"})
	require.NoError(t, err)
	s := cfg.socketOptions()
	assert.Equal(t, "/var/run/statsd-receiver.sock", s.Address)
	assert.Equal(t, fs.FileMode(0o622), s.Permissions)
	assert.Equal(t, 1, s.Count)
	cfg, err = decode(t, map[string]any{"transport": "unixgram", "endpoint": "/run/x.sock", "socket_permissions": 0o600})
	require.NoError(t, err)
	s = cfg.socketOptions()
	assert.Equal(t, "/run/x.sock", s.Address)
	assert.Equal(t, fs.FileMode(0o600), s.Permissions)
}

// A source is never an IPv4-mapped address, so an unconverted range of such addresses would allow no source.
func TestMappedRangeAllowsIPv4(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	cfg.AllowedCIDRs = []string{"::ffff:10.0.0.0/104"}
	allowed, err := cfg.allowed()
	require.NoError(t, err)
	assert.Equal(t, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, allowed)

	r := start(t, consumertest.NewNop(), func(c *Config) { c.AllowedCIDRs = []string{"::ffff:127.0.0.0/104"} })
	r.send(t, "a:1|c")
	require.NoError(t, r.Shutdown(context.Background()))
	assert.Equal(t, int64(1), sumOf(r.counted(t, "datagrams", "")))
	assert.Zero(t, sumOf(r.counted(t, "denied_datagrams", "")))
}

func TestUnixSocketFromDatagramToPoint(t *testing.T) {
	if !socket.HasUnix {
		t.Skip("no Unix sockets on this system")
	}
	dir, err := os.MkdirTemp("", "udp") //nolint:usetesting // t.TempDir is too long for a socket
	require.NoError(t, err)
	defer func() { _ = os.RemoveAll(dir) }()
	cfg := createDefaultConfig().(*Config)
	cfg.Transport, cfg.Endpoint = socket.Unixgram, filepath.Join(dir, "s")
	require.NoError(t, cfg.Validate())
	sink := new(consumertest.MetricsSink)
	r, err := newReceiver(receivertest.NewNopSettings(metadata.Type), cfg, sink)
	require.NoError(t, err)
	require.NoError(t, r.Start(context.Background(), componenttest.NewNopHost()))

	second, err := newReceiver(receivertest.NewNopSettings(metadata.Type), cfg, sink)
	require.NoError(t, err)
	var inUse *socket.InUseError
	require.ErrorAs(t, second.Start(context.Background(), componenttest.NewNopHost()), &inUse)
	require.NoError(t, second.Shutdown(context.Background()))

	client, err := net.Dial(socket.Unixgram, cfg.Endpoint)
	require.NoError(t, err)
	defer func() { _ = client.Close() }()
	for range 100 {
		_, err = client.Write([]byte("hits:1|c\nhits:1|c"))
		require.NoError(t, err)
	}
	require.NoError(t, r.Shutdown(context.Background()))
	assert.Equal(t, int64(200), findMetric(t, sink.AllMetrics(), "hits").Sum().DataPoints().At(0).IntValue())
	assert.NoFileExists(t, cfg.Endpoint)
}
