package socket

import (
	"context"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestListenOnEveryAddress(t *testing.T) {
	s := Options{Network: "tcp", Address: "name:0", Resolve: func(context.Context, string, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("192.0.2.1")}, nil
	}}
	l, err := Listen(context.Background(), s)
	require.NoError(t, err)
	require.Len(t, l.All, 2)
	assert.Len(t, l.Skipped, 1)
	_, first, _ := net.SplitHostPort(l.Addresses()[0])
	_, second, _ := net.SplitHostPort(l.Addresses()[1])
	assert.Equal(t, first, second, "one port")
	s.Address = l.Addresses()[1]
	var inUse *InUseError
	_, err = Listen(context.Background(), s)
	require.ErrorAs(t, err, &inUse)
	require.NoError(t, l.Close())
	again, err := Listen(context.Background(), s)
	require.NoError(t, err)
	require.NoError(t, again.Close())
}

func TestUnixStreamFiles(t *testing.T) {
	if !HasUnix {
		t.Skip("no Unix sockets on this system")
	}
	dir, err := os.MkdirTemp("", "udp") //nolint:usetesting // t.TempDir is too long for a socket
	require.NoError(t, err)
	defer func() { _ = os.RemoveAll(dir) }()
	s := Options{Network: Unix, Address: filepath.Join(dir, "s"), Permissions: 0o600}
	l, err := Listen(context.Background(), s)
	require.NoError(t, err)
	info, err := os.Stat(s.Address)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	var inUse *InUseError
	_, err = Listen(context.Background(), s)
	require.ErrorAs(t, err, &inUse, "a process listens")
	datagrams := s
	datagrams.Network, datagrams.Count, datagrams.ReadBatchSize, datagrams.MaxDatagramBytes = Unixgram, 1, 1, 100
	_, err = Open(context.Background(), datagrams)
	require.ErrorAs(t, err, &inUse, "a process listens for streams")
	require.NoError(t, l.Close())
	assert.NoFileExists(t, s.Address)

	stale, err := net.Listen(Unix, s.Address)
	require.NoError(t, err)
	stale.(*net.UnixListener).SetUnlinkOnClose(false)
	require.NoError(t, stale.Close())
	l, err = Listen(context.Background(), s)
	require.NoError(t, err, "the file that a process left behind is replaced")
	require.NoError(t, l.Close())

	require.NoError(t, os.WriteFile(s.Address, nil, 0o600))
	_, err = Listen(context.Background(), s)
	require.Error(t, err)
	assert.FileExists(t, s.Address)
}
