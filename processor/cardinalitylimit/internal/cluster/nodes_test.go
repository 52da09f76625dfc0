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

// joinNodes joins a gateway to a cluster. Its endpoints are two of the nodes.
func joinNodes(t *testing.T, name string, nodes []*storetest.Server) *Gateway {
	t.Helper()
	s := &stand{Server: nodes[0], t: t}
	o := s.options(name)
	o.Store.Endpoints = []string{nodes[0].Addr, nodes[1].Addr}
	m := New(o)
	m.source = &tracked{}
	t.Cleanup(func() { m.cancel(); m.store.close() })
	m.Join()
	require.Equal(t, Joined, m.State())
	return m
}

// A store may have three nodes. The keys are distributed over them, and all names of a key are on one node.
func TestClusterMode(t *testing.T) {
	nodes := storetest.StartCluster(t, 3)
	var members []*Gateway
	for i := range 2 {
		members = append(members, joinNodes(t, fmt.Sprint("gateway-", i), nodes))
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
	requireAnswersOfTwo(t, members[0], wants)
}

// If a node hangs, the answers of the others are still used.
func TestANodeOfAClusterHangs(t *testing.T) {
	nodes := storetest.StartCluster(t, 3)
	m := joinNodes(t, "a", nodes)
	nodes[2].Stop()
	t.Cleanup(nodes[2].Continue)
	wants := []Want{}
	for key := range uint64(300) {
		wants = append(wants, Want{Place: Place{0, key, 8}, Max: 10, Contested: 10, Stamp: 1})
	}
	requireAnswersOfTwo(t, m, wants)
}

// requireAnswersOfTwo asks for places of many keys while two of three nodes answer.
func requireAnswersOfTwo(t *testing.T, m *Gateway, wants []Want) {
	t.Helper()
	m.Ask(wants)
	var n [Alone + 1]int
	for _, w := range wants {
		n[w.Answer]++
	}
	require.Zero(t, n[Refused])
	require.Equal(t, Joined, m.State(), "two of three nodes answer")
	require.Greater(t, n[Admitted], len(wants)/2)
	require.Greater(t, n[Alone], len(wants)/5)
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
