//go:build unix

package socket

import (
	"context"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func unixOptions(path string) Options {
	s := options()
	s.Network, s.Address, s.Permissions = Unixgram, path, 0o622
	return s
}

// socketPath is short enough wherever the temporary directory is.
func socketPath(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "udp") //nolint:usetesting // t.TempDir has the name of the test in it
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "s")
}

func dialUnix(t *testing.T, path string) net.Conn {
	t.Helper()
	client, err := net.Dial(Unixgram, path)
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func TestUnixSocket(t *testing.T) {
	path := socketPath(t)
	s := unixOptions(path)
	s.MaxDatagramBytes, s.NeedsSources = 5, true
	group, err := Open(context.Background(), s)
	require.NoError(t, err)
	c := group.Conns[0]
	assert.Equal(t, path, group.Addr().String())
	info, err := os.Lstat(path)
	require.NoError(t, err)
	assert.Equal(t, fs.ModeSocket|0o622, info.Mode())

	client := dialUnix(t, path)
	for payload, want := range map[string]string{"a:1|c": "a:1|c", "a:1|ms": "a:1|m", "": ""} {
		send(t, client, payload)
		datagrams, err := c.Read()
		require.NoError(t, err)
		require.Len(t, datagrams, 1)
		assert.Equal(t, want, string(datagrams[0].Payload))
		assert.Equal(t, payload != want, datagrams[0].Truncated)
		assert.False(t, datagrams[0].Source.IsValid())
	}
	require.NoError(t, c.Wake())
	_, err = c.Read()
	require.ErrorIs(t, err, ErrWoken)
	stats, err := c.Stats()
	require.NoError(t, err)
	assert.Zero(t, stats.Drops)
	require.NoError(t, group.Close())
	assert.NoFileExists(t, path)
}

// Senders wait for room, so all their datagrams are received, even late.
func TestUnixSendersWait(t *testing.T) {
	path := socketPath(t)
	c := open(t, unixOptions(path))[0]
	client := dialUnix(t, path)
	const sent = 5000 // more than fit into any queue
	var sending sync.WaitGroup
	sending.Go(func() {
		for range sent {
			if _, err := client.Write([]byte("a:1|c")); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for received := 0; received < sent; {
		datagrams, err := c.Read()
		require.NoError(t, err)
		received += len(datagrams)
	}
	sending.Wait()
}

func TestLivingUnixSocketIsAnError(t *testing.T) {
	path := socketPath(t)
	c := open(t, unixOptions(path))[0]
	_, err := Open(context.Background(), unixOptions(path))
	var inUse *InUseError
	require.ErrorAs(t, err, &inUse)
	require.ErrorContains(t, err, path+" is already in use")
	send(t, dialUnix(t, path), "still there")
	assert.Equal(t, []string{"still there"}, receive(t, c))
}

func TestLivingStreamSocketIsAnError(t *testing.T) {
	path := socketPath(t)
	stream, err := net.Listen("unix", path)
	require.NoError(t, err)
	defer func() { _ = stream.Close() }()
	_, err = Open(context.Background(), unixOptions(path))
	var inUse *InUseError
	require.ErrorAs(t, err, &inUse)
}

// A process that was killed leaves the file of its socket behind.
func TestStaleUnixSocketIsReplaced(t *testing.T) {
	path := socketPath(t)
	pc, err := net.ListenPacket(Unixgram, path)
	require.NoError(t, err)
	require.NoError(t, pc.Close())
	require.FileExists(t, path)
	c := open(t, unixOptions(path))[0]
	send(t, dialUnix(t, path), "x")
	assert.Equal(t, []string{"x"}, receive(t, c))
}

func TestOnlySocketsAreReplaced(t *testing.T) {
	for name, make := range map[string]func(path string) error{
		"file":      func(path string) error { return os.WriteFile(path, []byte("precious"), 0o600) },
		"directory": func(path string) error { return os.Mkdir(path, 0o700) },
		"link":      func(path string) error { return os.Symlink("nowhere", path) },
	} {
		t.Run(name, func(t *testing.T) {
			path := socketPath(t)
			require.NoError(t, make(path))
			before, err := os.Lstat(path)
			require.NoError(t, err)
			_, err = Open(context.Background(), unixOptions(path))
			require.ErrorContains(t, err, path+" is a file, and not a socket")
			after, err := os.Lstat(path)
			require.NoError(t, err)
			assert.True(t, os.SameFile(before, after))
		})
	}
}

// A file that has replaced the socket's file meanwhile is not removed.
func TestAnothersUnixSocketIsLeft(t *testing.T) {
	path := socketPath(t)
	group, err := Open(context.Background(), unixOptions(path))
	require.NoError(t, err)
	require.NoError(t, os.Remove(path))
	other, err := Open(context.Background(), unixOptions(path))
	require.NoError(t, err)
	require.NoError(t, group.Close())
	require.FileExists(t, path)
	require.NoError(t, os.Remove(path))
	require.NoError(t, other.Close(), "the file is gone already")
}

// A file that no longer exists, for any reason, is not an error.
func TestUnixSocketWithoutItsDirectory(t *testing.T) {
	for name, replace := range map[string]func(dir string) error{
		"gone":   func(string) error { return nil },
		"a file": func(dir string) error { return os.WriteFile(dir, nil, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			path := socketPath(t)
			group, err := Open(context.Background(), unixOptions(path))
			require.NoError(t, err)
			dir := filepath.Dir(path)
			require.NoError(t, os.RemoveAll(dir))
			require.NoError(t, replace(dir))
			require.NoError(t, group.Close())
		})
	}
}

func TestUnixSocketErrors(t *testing.T) {
	dir := filepath.Dir(socketPath(t))
	_, err := Open(context.Background(), unixOptions(filepath.Join(dir, "missing", "s")))
	require.ErrorContains(t, err, "there is no directory "+filepath.Join(dir, "missing"))
	require.ErrorIs(t, err, fs.ErrNotExist)

	room := strings.Repeat("x", MaxPath-len(dir)-1)
	longest := filepath.Join(dir, room)
	group, err := Open(context.Background(), unixOptions(longest))
	require.NoError(t, err)
	require.NoError(t, group.Close())
	_, err = Open(context.Background(), unixOptions(longest+"x"))
	require.ErrorContains(t, err, "the path of a socket can have")
}
