package cluster

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/internal/storetest"
)

// A store may have three nodes. The keys are distributed over them, and all names of a key are on one node.
func TestClusterMode(t *testing.T) {
	nodes := storetest.StartCluster(t, 3)
	s := &stand{Server: nodes[0], t: t}
	var members []*Gateway
	for i := range 2 {
		o := s.options(fmt.Sprint("gateway-", i))
		o.Store.Endpoints = []string{nodes[0].Addr, nodes[1].Addr}
		m := New(o)
		m.source = &tracked{}
		t.Cleanup(func() { m.cancel(); m.store.close(); m.exchanging.Wait() })
		m.Join()
		require.Equal(t, Joined, m.State())
		members = append(members, m)
	}
	const keys, limit = 100, 10
	granted := 0
	for round := range 3 {
		for i, m := range members {
			var wants []Want
			for key := range uint64(keys) {
				for n := range uint64(8) {
					wants = append(wants, Want{Place: Place{0, key, (n + 4*uint64(i+round)) << 3}, Max: limit, Contested: limit, Stamp: 1, Entered: true}) //nolint:gosec // small
				}
			}
			m.Ask(wants)
			for _, w := range wants {
				if w.Answer == Admitted {
					granted++
				}
				require.NotEqual(t, Alone, w.Answer)
			}
			m.Finish(wants)
			m.flush(t.Context())
		}
	}
	assert.Equal(t, keys*limit, granted)
	for _, n := range nodes {
		assert.NotEmpty(t, n.Keys(n.Client(), "test:*"), "each node has some")
	}
	// A node stops. This gateway decides alone on the keys of that node only.
	nodes[2].Kill()
	wants := []Want{}
	for key := range uint64(3 * keys) {
		wants = append(wants, Want{Place: Place{0, 1000 + key, 8}, Max: limit, Contested: limit, Stamp: 1})
	}
	members[0].Ask(wants)
	var n [Alone + 1]int
	for _, w := range wants {
		n[w.Answer]++
	}
	assert.Zero(t, n[Refused])
	assert.Equal(t, Joined, members[0].State(), "two of three nodes answer")
	t.Logf("with one of three nodes away: %d admitted, %d alone", n[Admitted], n[Alone])
	assert.Positive(t, n[Admitted])
	assert.Positive(t, n[Alone])
}

// The endpoints may be host names. One that cannot be reached does not matter if another can.
func TestSomeEndpointsOfAClusterAreAway(t *testing.T) {
	nodes := storetest.StartCluster(t, 3)
	s := &stand{Server: nodes[0], t: t}
	o := s.options("a")
	_, port, err := net.SplitHostPort(nodes[1].Addr)
	require.NoError(t, err)
	o.Store.Endpoints = []string{"127.0.0.1:1", "localhost:" + port}
	m := New(o)
	t.Cleanup(func() { m.cancel(); m.store.close() })
	m.Join()
	require.Equal(t, Joined, m.State())
	require.True(t, strings.HasPrefix(m.key(keyID{0, 1}).base, "test:{metric:"))
}
