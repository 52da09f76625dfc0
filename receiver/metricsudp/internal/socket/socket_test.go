package socket

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func options() Options {
	return Options{Network: "udp", Address: "127.0.0.1:0", Count: 1, MaxDatagramBytes: 2048, ReadBatchSize: 16}
}

func open(t *testing.T, s Options) []*Conn {
	t.Helper()
	group, err := Open(context.Background(), s)
	require.NoError(t, err)
	t.Cleanup(func() { _ = group.Close() })
	return group.Conns
}

func dial(t *testing.T, c *Conn) net.Conn {
	t.Helper()
	client, err := net.Dial("udp", c.LocalAddr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func send(t *testing.T, client net.Conn, payload string) {
	t.Helper()
	_, err := client.Write([]byte(payload))
	require.NoError(t, err)
}

// receive reads until nothing is left. On loopback a datagram is in the receiver's
// buffer, or dropped, when Write returns.
func receive(t *testing.T, c *Conn) (payloads []string) {
	t.Helper()
	for {
		datagrams, err := c.Poll()
		require.NoError(t, err)
		if len(datagrams) == 0 {
			return payloads
		}
		for _, d := range datagrams {
			payloads = append(payloads, string(d.Payload))
		}
	}
}

func TestReadWaitsAndReturnsWhatCame(t *testing.T) {
	c := open(t, options())[0]
	client := dial(t, c)
	got := make(chan string)
	go func() {
		defer close(got)
		for {
			datagrams, err := c.Read()
			if err != nil {
				return
			}
			for _, d := range datagrams {
				got <- string(d.Payload)
			}
		}
	}()
	for i := range 50 {
		payload := fmt.Sprint("datagram ", i)
		send(t, client, payload)
		assert.Equal(t, payload, <-got)
	}
	require.NoError(t, c.Close())
	_, more := <-got
	assert.False(t, more)
}

// The buffers after the returned count contain earlier datagrams, which must not be returned a second time.
func TestEarlierDatagramsAreNotReadAgain(t *testing.T) {
	c := open(t, options())[0]
	client := dial(t, c)
	for i := range 10 {
		send(t, client, fmt.Sprint("first ", i, strings.Repeat("x", 100)))
	}
	assert.Len(t, receive(t, c), 10)
	send(t, client, "a")
	send(t, client, "")
	assert.Equal(t, []string{"a", ""}, receive(t, c))
	assert.Empty(t, receive(t, c))
}

// After a Read that does not fill its buffers, the socket is empty.
func TestReadFillsABatch(t *testing.T) {
	c := open(t, options())[0]
	client := dial(t, c)
	for range c.ReadBatchSize() + 1 {
		send(t, client, "a")
	}
	datagrams, err := c.Poll()
	require.NoError(t, err)
	assert.Len(t, datagrams, c.ReadBatchSize())
	assert.Len(t, receive(t, c), 1)
}

func TestTruncation(t *testing.T) {
	s := options()
	s.MaxDatagramBytes = 10
	c := open(t, s)[0]
	client := dial(t, c)
	for _, tt := range []struct {
		payload   string
		truncated bool
	}{{"0123456789", false}, {"0123456789a", true}, {"012", false}} {
		send(t, client, tt.payload)
		datagrams, err := c.Read()
		require.NoError(t, err)
		require.Len(t, datagrams, 1)
		assert.Equal(t, tt.truncated, datagrams[0].Truncated)
		assert.Equal(t, tt.payload[:min(10, len(tt.payload))], string(datagrams[0].Payload))
	}
}

func TestSources(t *testing.T) {
	for _, network := range []struct{ network, address, source string }{
		{"udp4", "127.0.0.1:0", "127.0.0.1"}, {"udp", ":0", "127.0.0.1"}, {"udp6", "[::1]:0", "::1"},
	} {
		t.Run(network.network+network.address, func(t *testing.T) {
			s := options()
			s.Network, s.Address, s.NeedsSources = network.network, network.address, true
			group, err := Open(context.Background(), s)
			if err != nil && network.network == "udp6" {
				t.Skip("no IPv6 loopback:", err)
			}
			require.NoError(t, err)
			defer func() { _ = group.Close() }()
			_, port, err := net.SplitHostPort(group.Addr().String())
			require.NoError(t, err)
			client, err := net.Dial("udp", net.JoinHostPort(network.source, port))
			require.NoError(t, err)
			defer func() { _ = client.Close() }()
			for range 3 {
				send(t, client, "x")
				datagrams, err := group.Conns[0].Read()
				require.NoError(t, err)
				assert.Equal(t, netip.MustParseAddr(network.source), datagrams[0].Source)
			}
		})
	}
}

// No Wake is lost, in any order of Wake and Read, and later Reads wait again.
func TestWake(t *testing.T) {
	c := open(t, options())[0]
	client := dial(t, c)
	woken, asked := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(woken)
		for {
			if _, err := c.Read(); err != nil {
				assert.ErrorIs(t, err, ErrWoken)
				woken <- struct{}{}
				if _, more := <-asked; !more {
					return
				}
			}
		}
	}()
	for i := range 200 {
		if i%2 == 0 {
			send(t, client, "x")
		}
		require.NoError(t, c.Wake())
		<-woken
		if i < 199 {
			asked <- struct{}{}
		}
	}
	close(asked)
	<-woken
}

func TestTakenPortIsAnError(t *testing.T) {
	c := open(t, options())[0]
	s := options()
	s.Address = c.LocalAddr().String()
	_, err := Open(context.Background(), s)
	var inUse *InUseError
	require.ErrorAs(t, err, &inUse)
	assert.Equal(t, s.Address, inUse.Address)
	assert.ErrorContains(t, err, "already in use")
}

func TestListenErrors(t *testing.T) {
	s := options()
	s.Address = "192.0.2.1:0" // TEST-NET-1: no host has it
	_, err := Open(context.Background(), s)
	require.ErrorContains(t, err, "192.0.2.1")
}
