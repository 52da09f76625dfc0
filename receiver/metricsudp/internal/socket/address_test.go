package socket

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const elsewhere = "192.0.2.1" // TEST-NET-1: no host has it

// named returns settings with a host name that has these addresses.
func named(addresses ...string) Options {
	s := options()
	s.Address = "metrics.test:0"
	s.Resolve = func(_ context.Context, network, host string) ([]netip.Addr, error) {
		if host != "metrics.test" {
			return nil, errors.New("not the name of the endpoint: " + host)
		}
		var all []netip.Addr
		for _, text := range addresses {
			addr := netip.MustParseAddr(text)
			if network == "ip" || (network == "ip4") == addr.Is4() {
				all = append(all, addr)
			}
		}
		return all, nil
	}
	return s
}

func openNamed(t *testing.T, s Options) *Group {
	t.Helper()
	g, err := Open(context.Background(), s)
	require.NoError(t, err)
	t.Cleanup(func() { _ = g.Close() })
	return g
}

func needIPv6(t *testing.T) {
	t.Helper()
	pc, err := net.ListenPacket("udp6", "[::1]:0")
	if err != nil {
		t.Skip("no IPv6 loopback:", err)
	}
	require.NoError(t, pc.Close())
}

// A datagram to any address of the name arrives.
func TestEveryAddressOfANameIsBound(t *testing.T) {
	g := openNamed(t, named("127.0.0.1", "127.0.0.2", "127.0.0.1"))
	require.Len(t, g.Conns, 2)
	assert.Len(t, g.Addresses(), 2)
	assert.Empty(t, g.Skipped)
	assert.Equal(t, port(t, g.Conns[0]), port(t, g.Conns[1]), "port 0 is one port")
	for _, c := range g.Conns {
		send(t, dial(t, c), c.LocalAddr().String())
		assert.Equal(t, []string{c.LocalAddr().String()}, receive(t, c))
	}
}

func TestBothFamiliesAreBound(t *testing.T) {
	needIPv6(t)
	s := named("127.0.0.1", "::1")
	s.Count = 2
	if MaxSockets < 2 {
		s.Count = 1
	}
	g := openNamed(t, s)
	require.Len(t, g.Conns, 2*s.Count, "the count is of each family")
	first, last := g.Conns[0], g.Conns[len(g.Conns)-1]
	assert.Equal(t, port(t, first), port(t, last))
	for _, c := range []*Conn{first, last} {
		send(t, dial(t, c), "x")
	}
	received := 0
	for _, c := range g.Conns {
		received += len(receive(t, c))
	}
	assert.Equal(t, 2, received)

	s.Network = "udp4"
	assert.Len(t, openNamed(t, s).Conns, s.Count)
	s.Network = "udp6"
	assert.Equal(t, "::1", openNamed(t, s).Addr().(*net.UDPAddr).IP.String())
}

// IPv6 that is switched off, and addresses of other hosts, are skipped.
func TestAddressesOfOtherHostsAreSkipped(t *testing.T) {
	g := openNamed(t, named(elsewhere, "127.0.0.1", "2001:db8::1"))
	assert.Equal(t, "127.0.0.1", g.Addr().(*net.UDPAddr).IP.String())
	require.Len(t, g.Conns, 1)
	require.Len(t, g.Skipped, 2)
	for i, address := range []string{elsewhere, "2001:db8::1"} {
		assert.Contains(t, g.Skipped[i], address)
		assert.Equal(t, 1, strings.Count(g.Skipped[i], address), g.Skipped[i])
	}
}

func TestNameWithoutAddressOfThisHost(t *testing.T) {
	_, err := Open(context.Background(), named(elsewhere, "2001:db8::1"))
	require.ErrorContains(t, err, elsewhere)
	require.ErrorContains(t, err, "2001:db8::1")
	_, err = Open(context.Background(), named())
	require.ErrorContains(t, err, "metrics.test has no address")
	s := named()
	s.Resolve = func(context.Context, string, string) ([]netip.Addr, error) { return nil, errors.New("no such host") }
	_, err = Open(context.Background(), s)
	require.ErrorContains(t, err, "no such host")
}

// One address that another process has bound is an error, whatever the others are, and leaves nothing bound.
func TestOneAddressInUseIsAnError(t *testing.T) {
	s := options()
	s.Address = "127.0.0.2:0"
	other := open(t, s)[0]
	s = named("127.0.0.1", "127.0.0.2")
	_, used, err := net.SplitHostPort(other.LocalAddr().String())
	require.NoError(t, err)
	s.Address = "metrics.test:" + used
	_, err = Open(context.Background(), s)
	var inUse *InUseError
	require.ErrorAs(t, err, &inUse)
	assert.Equal(t, other.LocalAddr().String(), inUse.Address)
	s = options()
	s.Address = "127.0.0.1:" + used
	open(t, s)
}

// A port that the kernel chose for the first address may be in use at the second: another one is tried.
func TestChosenPortIsFreeAtEveryAddress(t *testing.T) {
	var tried []string
	bind := func(_ context.Context, _, address string) (net.PacketConn, error) {
		tried = append(tried, address)
		if len(tried) == 2 {
			return nil, &InUseError{Address: address, Err: errors.New("not free")}
		}
		return net.ListenPacket("udp", address)
	}
	s := named("127.0.0.1", "127.0.0.2")
	all, _, err := bindAll(context.Background(), &s, bind, net.PacketConn.LocalAddr)
	require.NoError(t, err)
	defer closeAll(all)
	assert.Len(t, all, 2)
	assert.Len(t, tried, 4)
}

// The addresses of one family divide its sockets and its buffer.
func TestAddressesOfAFamilyShareItsSockets(t *testing.T) {
	for _, tt := range []struct {
		count, addresses int
		counts, buffers  []int
	}{
		{4, 1, []int{4}, []int{90}},
		{4, 2, []int{2, 2}, []int{90, 90}},
		{4, 3, []int{2, 1, 1}, []int{90, 90, 90}},
		{2, 3, []int{1, 1, 1}, []int{60, 60, 60}},
	} {
		s := Options{Count: tt.count, BufferBytes: 90}
		var first []*net.UDPConn
		for range tt.addresses {
			udp, err := listenAlone(context.Background(), "udp4", "127.0.0.1:0")
			require.NoError(t, err)
			first = append(first, udp)
		}
		sockets := 0
		for i, options := range optionsByAddress(first, &s) {
			assert.Equal(t, tt.counts[i], options.Count, "%d sockets, %d addresses", tt.count, tt.addresses)
			assert.Equal(t, tt.buffers[i], options.BufferBytes)
			sockets += options.Count * options.BufferBytes
		}
		assert.LessOrEqual(t, sockets, tt.count*s.BufferBytes)
		closeAll(first)
	}
}

func port(t *testing.T, c *Conn) int {
	t.Helper()
	return c.LocalAddr().(*net.UDPAddr).Port
}
