package storetest

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/require"
)

// StartReplica starts a replica of a server, and waits until it has what the server has.
func StartReplica(t testing.TB, primary *Server) *Server {
	t.Helper()
	host, port, err := net.SplitHostPort(primary.Addr)
	require.NoError(t, err)
	s := Start(t, "--replicaof", host+" "+port, "--repl-diskless-sync-delay", "0")
	primary.WaitForReplica()
	return s
}

// WaitForReplica waits until a replica has everything that was written to the server. WAIT counts only the writes of its own
// connection, so one is made.
func (s *Server) WaitForReplica() {
	s.t.Helper()
	c := s.Client()
	require.Eventually(s.t, func() bool {
		s.Do(c, "SET", "storetest", "everything before")
		return s.Do(c, "WAIT", "1", "1000") == "1"
	}, 30*time.Second, 20*time.Millisecond)
}

// StartSentinel starts a sentinel that watches a server under a name, decides alone, and knows of one replica.
func StartSentinel(t testing.TB, name string, primary *Server) *Server {
	t.Helper()
	host, port, err := net.SplitHostPort(primary.Addr)
	require.NoError(t, err)
	config := filepath.Join(t.TempDir(), "sentinel.conf") // a sentinel writes to it
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, "sentinel monitor %[1]s %[2]s %[3]s 1\nsentinel down-after-milliseconds %[1]s 300\nsentinel failover-timeout %[1]s 2000\n", name, host, port), 0o600))
	s := &Server{t: t, dir: t.TempDir(), config: config, args: []string{"--sentinel"}}
	t.Cleanup(s.Kill)
	s.Addr = FreeAddress(t)
	require.True(t, s.launch(), "the sentinel does not start")
	c := s.Client()
	require.Eventually(t, func() bool {
		replicas, err := redis.Values(do(c, "SENTINEL", "REPLICAS", name))
		return err == nil && len(replicas) == 1
	}, 30*time.Second, 20*time.Millisecond)
	return s
}
