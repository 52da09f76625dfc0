package storetest

import (
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// StartCluster starts the nodes of a cluster without replicas, which divide the slots between them.
func StartCluster(t testing.TB, n int) []*Server {
	t.Helper()
	nodes := make([]*Server, n)
	for i := range nodes {
		// The bus port is another free one: the default is the port plus 10,000, which may not exist.
		_, bus, err := net.SplitHostPort(FreeAddress(t))
		require.NoError(t, err)
		nodes[i] = Start(t, "--cluster-enabled", "yes", "--cluster-port", bus, "--cluster-config-file", "nodes.conf",
			"--cluster-node-timeout", "2000", "--cluster-require-full-coverage", "no")
		const slots = 16384
		c := nodes[i].Client()
		nodes[i].Do(c, "CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(i*slots/n), strconv.Itoa((i+1)*slots/n-1))
		if i > 0 {
			_, port, err := net.SplitHostPort(nodes[0].Addr)
			require.NoError(t, err)
			nodes[i].Do(c, "CLUSTER", "MEET", "127.0.0.1", port, nodes[0].bus())
		}
	}
	for _, s := range nodes {
		c := s.Client()
		require.Eventually(t, func() bool {
			info := s.Do(c, "CLUSTER", "INFO")
			return strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_slots_assigned:16384") &&
				strings.Contains(info, "cluster_known_nodes:"+strconv.Itoa(n))
		}, 30*time.Second, 20*time.Millisecond)
	}
	return nodes
}

// bus is the port of the cluster's bus.
func (s *Server) bus() string {
	for i, arg := range s.args {
		if arg == "--cluster-port" {
			return s.args[i+1]
		}
	}
	return ""
}
