package socket

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestGroupSharesThePort(t *testing.T) {
	s := options()
	s.Count, s.BufferBytes = 4, 1<<20
	conns := open(t, s)
	const clients = 64
	for range clients {
		send(t, dial(t, conns[0]), "x")
	}
	total, sockets := 0, 0
	for _, c := range conns {
		assert.Equal(t, conns[0].LocalAddr().String(), c.LocalAddr().String())
		if n := len(receive(t, c)); n > 0 {
			total += n
			sockets++
		}
	}
	assert.Equal(t, clients, total)
	// That 64 source ports all hash to one of four sockets has probability 4^-63.
	assert.Greater(t, sockets, 1)
}

// A port is an error even if the socket that uses it would share it.
func TestSharedPortOfAnotherIsAnError(t *testing.T) {
	lc := net.ListenConfig{Control: setReusePort}
	other, err := lc.ListenPacket(context.Background(), "udp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = other.Close() }()
	for _, count := range []int{1, 4} {
		s := options()
		s.Address, s.Count = other.LocalAddr().String(), count
		_, err = Open(context.Background(), s)
		var inUse *InUseError
		require.ErrorAs(t, err, &inUse)
	}
}

func TestSecondGroupIsAnError(t *testing.T) {
	s := options()
	s.Count = 4
	s.Address = open(t, s)[0].LocalAddr().String()
	_, err := Open(context.Background(), s)
	var inUse *InUseError
	require.ErrorAs(t, err, &inUse)
}

func TestSentIsReceivedPlusKernelDrops(t *testing.T) {
	s := options()
	s.BufferBytes = 4096
	c := open(t, s)[0]
	client := dial(t, c)
	const sent = 1000
	for range sent {
		send(t, client, "a:1|c")
	}
	received := len(receive(t, c))
	stats, err := c.Stats()
	require.NoError(t, err)
	assert.Positive(t, received)
	assert.Positive(t, stats.Drops)
	assert.Equal(t, sent, received+int(stats.Drops))
}

func TestEffectiveBufferIsReported(t *testing.T) {
	s := options()
	s.BufferBytes = 64 << 10
	stats, err := open(t, s)[0].Stats()
	require.NoError(t, err)
	assert.Equal(t, s.BufferBytes, stats.BufferBytes)
}

func TestAllocsRead(t *testing.T) {
	s := options()
	s.NeedsSources = true
	c := open(t, s)[0]
	client := dial(t, c)
	payload := []byte("a:1|c")
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		_, _ = client.Write(payload)
		_, _ = c.Read()
	}))
}

func descriptors(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(all)
}

// Close ends a Read that waits, also during other calls, and leaves no descriptor open.
func TestCloseEndsEverything(t *testing.T) {
	before := descriptors(t)
	for range 50 {
		group, err := Open(t.Context(), Options{Network: "udp4", Address: "127.0.0.1:0", Count: 2, MaxDatagramBytes: 100, ReadBatchSize: 4})
		require.NoError(t, err)
		var running sync.WaitGroup
		for _, c := range group.Conns {
			running.Go(func() {
				for {
					if _, err := c.Read(); !errors.Is(err, ErrWoken) {
						assert.ErrorIs(t, err, net.ErrClosed)
						return
					}
				}
			})
			for _, use := range []func() error{c.Wake, func() error { _, err := c.Stats(); return err }} {
				running.Go(func() {
					for range 20 {
						if err := use(); err != nil {
							assert.ErrorIs(t, err, net.ErrClosed)
						}
					}
				})
			}
			require.NoError(t, c.Close())
			require.ErrorIs(t, c.Close(), net.ErrClosed)
		}
		running.Wait()
	}
	assert.LessOrEqual(t, descriptors(t), before+1, "the runtime may have opened its own meanwhile")
}

// After a Read has returned ErrWoken, the next Read returns the datagrams that came. At most its wait returns early once.
func TestWakeIsTakenOnce(t *testing.T) {
	group, err := Open(t.Context(), Options{Network: "udp4", Address: "127.0.0.1:0", Count: 1, MaxDatagramBytes: 100, ReadBatchSize: 4})
	require.NoError(t, err)
	c := group.Conns[0]
	defer func() { _ = c.Close() }()
	client, err := net.Dial("udp4", c.LocalAddr().String())
	require.NoError(t, err)
	defer func() { _ = client.Close() }()
	for range 20 {
		require.NoError(t, c.Wake())
		require.NoError(t, c.Wake())
		_, err = c.Read()
		require.ErrorIs(t, err, ErrWoken)
		var sending sync.WaitGroup
		sending.Go(func() {
			_, err := client.Write([]byte("x"))
			assert.NoError(t, err)
		})
		got, err := c.Read()
		require.NoError(t, err)
		require.Len(t, got, 1)
		sending.Wait()
	}
}

// If Open fails because the process has no more descriptors, it closes those that it has opened.
func TestFailedOpenLeavesNoDescriptor(t *testing.T) {
	s := options()
	s.Count = 4
	var usual unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &usual))
	before := descriptors(t)
	failed := 0
	for more := range uint64(16) {
		scarce := usual
		scarce.Cur = uint64(before) + more
		require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &scarce))
		group, err := Open(context.Background(), s)
		require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &usual))
		if err != nil {
			require.ErrorIs(t, err, unix.EMFILE)
			failed++
		}
		if group != nil {
			require.NoError(t, group.Close())
		}
		require.LessOrEqual(t, descriptors(t), before+1, "the runtime may have opened its own meanwhile")
	}
	assert.Greater(t, failed, 4)
	assert.Less(t, failed, 16)
}

// A group on IPv6 shares the port, and one on the unspecified address receives from both families.
func TestGroupOnIPv6(t *testing.T) {
	for _, tt := range []struct {
		network, address string
		hosts            []string
	}{{"udp6", "[::1]:0", []string{"::1"}}, {"udp", "[::]:0", []string{"::1", "127.0.0.1"}}} {
		s := options()
		s.Network, s.Address, s.Count = tt.network, tt.address, 4
		group, err := Open(context.Background(), s)
		if err != nil {
			t.Skip("no IPv6:", err)
		}
		_, port, err := net.SplitHostPort(group.Addr().String())
		require.NoError(t, err)
		const sent = 64
		for i := range sent {
			client, err := net.Dial("udp", net.JoinHostPort(tt.hosts[i%len(tt.hosts)], port))
			require.NoError(t, err)
			send(t, client, "x")
			require.NoError(t, client.Close())
		}
		received, used := 0, 0
		for _, c := range group.Conns {
			n := len(receive(t, c))
			if received += n; n > 0 {
				used++
			}
			require.NoError(t, c.Close())
		}
		assert.Equal(t, sent, received, tt.address)
		assert.Greater(t, used, 1, tt.address)
	}
}

// An abstract name has no file, and is free as soon as its socket is closed.
func TestAbstractSocket(t *testing.T) {
	name := fmt.Sprintf("@metricsudp-test-%d", os.Getpid())
	s := options()
	s.Network, s.Address = Unixgram, name
	for range 2 {
		group, err := Open(context.Background(), s)
		require.NoError(t, err)
		_, err = Open(context.Background(), s)
		var inUse *InUseError
		require.ErrorAs(t, err, &inUse)
		client, err := net.Dial(Unixgram, name)
		require.NoError(t, err)
		send(t, client, "x")
		assert.Equal(t, []string{"x"}, receive(t, group.Conns[0]))
		require.NoError(t, client.Close())
		require.NoError(t, group.Close())
		assert.NoFileExists(t, name)
	}
}
