package socket

import (
	"context"
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestGroupSharesThePort(t *testing.T) {
	s := settings()
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

// Even a holder that would share the port keeps it.
func TestSharedPortOfAnotherIsAnError(t *testing.T) {
	lc := net.ListenConfig{Control: setReusePort}
	other, err := lc.ListenPacket(context.Background(), "udp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = other.Close() }()
	for _, count := range []int{1, 4} {
		s := settings()
		s.Address, s.Count = other.LocalAddr().String(), count
		_, err = Open(context.Background(), s)
		var inUse *InUseError
		require.ErrorAs(t, err, &inUse)
	}
}

func TestSecondGroupIsAnError(t *testing.T) {
	s := settings()
	s.Count = 4
	s.Address = open(t, s)[0].LocalAddr().String()
	_, err := Open(context.Background(), s)
	var inUse *InUseError
	require.ErrorAs(t, err, &inUse)
}

func TestSentIsReceivedPlusKernelDrops(t *testing.T) {
	s := settings()
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
	s := settings()
	s.BufferBytes = 64 << 10
	stats, err := open(t, s)[0].Stats()
	require.NoError(t, err)
	assert.Equal(t, s.BufferBytes, stats.BufferBytes)
}

func TestAllocsRead(t *testing.T) {
	s := settings()
	s.NeedsSources = true
	c := open(t, s)[0]
	client := dial(t, c)
	payload := []byte("a:1|c")
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		_, _ = client.Write(payload)
		_, _ = c.Read()
	}))
}
