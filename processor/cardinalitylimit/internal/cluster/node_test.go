package cluster

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/internal/storetest"
)

// connectTo returns a store with one server.
func connectTo(t *testing.T, o StoreOptions) *store {
	t.Helper()
	s := newStore(t.Context(), o)
	t.Cleanup(s.close)
	require.NoError(t, s.connect(time.Now()))
	return s
}

// do makes an exchange of one command.
func (n *node) do(ctx context.Context, name string, args ...any) (any, error) {
	c := command{name: name, args: args}
	n.exchange(ctx, &c)
	return c.reply, c.err
}

func (n *node) unused() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.idle)
}

// clients is the number of connections of gateways to a server.
func clients(s *storetest.Server) int {
	return strings.Count(s.Do(s.Client(), "CLIENT", "LIST"), "name=gateway")
}

// As many exchanges as there may be connections go on at once. One more waits, and no longer than its time.
func TestConnectionsAreBounded(t *testing.T) {
	server := storetest.Start(t)
	n := connectTo(t, StoreOptions{Endpoints: []string{server.Addr}, ClientName: "gateway"}).topology.Load().all[0]
	var wg sync.WaitGroup
	for range maxConns {
		wg.Go(func() {
			_, err := n.do(t.Context(), "BLPOP", "list", 0)
			assert.NoError(t, err)
		})
	}
	c := server.Client()
	blocked := func() bool {
		return strings.Contains(server.Do(c, "INFO", "clients"), fmt.Sprint("blocked_clients:", maxConns))
	}
	require.Eventually(t, blocked, 10*time.Second, time.Millisecond)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := n.do(ctx, "PING")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.True(t, blocked(), "the others go on")
	require.Equal(t, maxConns, clients(server))
	for range maxConns {
		server.Do(c, "RPUSH", "list", "x")
	}
	wg.Wait()
	require.Equal(t, maxConns, n.unused())

	n.now = func() time.Time { return time.Now().Add(idleTimeout) }
	answer, err := n.do(t.Context(), "PING")
	require.NoError(t, err)
	require.Equal(t, "PONG", answer)
	require.Equal(t, 1, n.unused(), "the others have been unused for long")
	require.Eventually(t, func() bool { return clients(server) == 1 }, 10*time.Second, time.Millisecond)
}

// After a timeout the answer is still to come: the next exchange has another connection.
func TestATimeoutClosesTheConnection(t *testing.T) {
	server := storetest.Start(t)
	n := connectTo(t, StoreOptions{Endpoints: []string{server.Addr}, ClientName: "gateway"}).topology.Load().all[0]
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := n.do(ctx, "BLPOP", "list", 0)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Equal(t, ReasonTimeout, reasonOf(err))
	require.Zero(t, n.unused())
	require.Eventually(t, func() bool { return clients(server) == 0 }, 10*time.Second, time.Millisecond)
	answer, err := n.do(t.Context(), "ECHO", "mine")
	require.NoError(t, err)
	require.Equal(t, []byte("mine"), answer)
}

// A connection that takes longer than the exchange is there for a later one.
func TestASlowConnectionIsKept(t *testing.T) {
	server := storetest.Start(t)
	s := connectTo(t, StoreOptions{Endpoints: []string{server.Addr}})
	goOn := make(chan struct{})
	n := newNode(t.Context(), server.Addr, func(ctx context.Context, address string) (*conn, error) {
		<-goOn
		return s.login(ctx, address)
	})
	defer n.close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, err := n.do(ctx, "PING")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Len(t, n.inUse, 1, "the connection is still being made")
	close(goOn)
	require.Eventually(t, func() bool { return n.unused() == 1 && len(n.inUse) == 0 }, 10*time.Second, time.Millisecond)
	answer, err := n.do(t.Context(), "PING")
	require.NoError(t, err)
	require.Equal(t, "PONG", answer)
}

// An exchange with a server that hangs lasts as long as it may, also when it needs a new connection: the kernel of the server accepts
// it.
func TestAServerThatHangs(t *testing.T) {
	server := storetest.Start(t)
	s := connectTo(t, StoreOptions{Endpoints: []string{server.Addr}, ClientName: "gateway"})
	n := s.topology.Load().all[0]
	server.Stop()
	for range 2 * maxConns {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		begin := time.Now()
		_, err := n.do(ctx, "PING")
		cancel()
		require.Less(t, time.Since(begin), dialTimeout/2)
		require.Equal(t, ReasonTimeout, reasonOf(err))
	}
	server.Continue()
	answer, err := n.do(t.Context(), "PING")
	require.NoError(t, err)
	require.Equal(t, "PONG", answer)

	server.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	for range 2 {
		_, err = n.do(ctx, "PING")
		require.Equal(t, ReasonTimeout, reasonOf(err))
	}
	begin := time.Now()
	s.close()
	require.Less(t, time.Since(begin), dialTimeout/2, "the end does not wait for the server")
	require.Empty(t, n.inUse)
	server.Continue()
}

// After a refusal by a replica the next exchange has a new connection, because another server may have the name now.
func TestAReplicaIsDialledAgain(t *testing.T) {
	server := storetest.Start(t)
	n := connectTo(t, StoreOptions{Endpoints: []string{server.Addr}}).topology.Load().all[0]
	_, err := n.do(t.Context(), "SET", "a", "b")
	require.NoError(t, err)
	require.Equal(t, 1, n.unused())
	server.Do(server.Client(), "REPLICAOF", "127.0.0.1", "1")
	_, err = n.do(t.Context(), "SET", "a", "b")
	require.True(t, refusedWith(err, "READONLY"), err)
	require.Zero(t, n.unused())
}

// A connection whose login is redirected, by a node without a name for the other one, is none.
func TestALoginThatIsRedirected(t *testing.T) {
	for _, answer := range []string{"-MOVED 1 :7001\r\n", "-ASK 1 :7001\r\n", "+OK\r\n+OK\r\n", "-MOVED 1 127.0.0.1:1\r\n"} {
		logins := 0
		i := startImpostorAt(t, func(address string) func(string) []byte {
			node := asNode(address)
			return func(command string) []byte {
				if command == "CLIENT" {
					if logins++; logins > 1 {
						return []byte(answer)
					}
				}
				return node(command)
			}
		})
		s := connectTo(t, StoreOptions{Endpoints: []string{i.Addr().String()}, ClientName: "gateway"})
		s.topology.Load().all[0].closeIdle(0)
		c := command{key: "k", name: "GET", args: []any{"k"}}
		s.do(t.Context(), &c)
		require.Error(t, c.err, answer)
		require.Nil(t, c.at)
	}
}

// Calls of a pipeline that were answered before the connection failed keep their answers.
func TestAPipelineThatBreaks(t *testing.T) {
	server := storetest.Start(t)
	n := connectTo(t, StoreOptions{Endpoints: []string{server.Addr}}).topology.Load().all[0]
	all := []*command{{name: "ECHO", args: []any{"first"}}, {name: "LPOP", args: []any{"a", "b", "c"}}, {name: "QUIT"}, {name: "PING"}}
	n.exchange(t.Context(), all...)
	require.NoError(t, all[0].err)
	require.Equal(t, []byte("first"), all[0].reply)
	require.Equal(t, ReasonRefused, reasonOf(all[1].err))
	require.NoError(t, all[2].err)
	require.Equal(t, ReasonConnection, reasonOf(all[3].err))
	require.Zero(t, n.unused())
}

// When a server has restarted, one exchange fails, however many connections there were.
func TestARestartCostsOneExchange(t *testing.T) {
	server := storetest.Start(t)
	n := connectTo(t, StoreOptions{Endpoints: []string{server.Addr}}).topology.Load().all[0]
	var both sync.WaitGroup
	both.Add(2)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			c, err := n.acquire(t.Context())
			both.Done()
			both.Wait()
			if assert.NoError(t, err) {
				n.release(c, true)
			}
		})
	}
	wg.Wait()
	require.Equal(t, 2, n.unused())
	server.Restart()
	_, err := n.do(t.Context(), "PING")
	require.Equal(t, ReasonConnection, reasonOf(err))
	_, err = n.do(t.Context(), "PING")
	require.NoError(t, err)
}

// Calls in progress fail when the store is closed, and later ones, too.
func TestCloseDuringACall(t *testing.T) {
	server := storetest.Start(t)
	s := newStore(context.WithoutCancel(t.Context()), StoreOptions{Endpoints: []string{server.Addr}})
	require.NoError(t, s.connect(time.Now()))
	failed := make(chan error)
	go func() {
		c := command{name: "BLPOP", args: []any{"list", 0}}
		s.do(context.WithoutCancel(t.Context()), &c)
		failed <- c.err
	}()
	c := server.Client()
	require.Eventually(t, func() bool { return strings.Contains(server.Do(c, "INFO", "clients"), "blocked_clients:1") }, 10*time.Second, time.Millisecond)
	n := s.topology.Load().all[0]
	s.close()
	require.Error(t, <-failed)
	_, err := n.do(t.Context(), "PING")
	require.ErrorIs(t, err, context.Canceled, "no connection is made any more")
	require.Zero(t, n.unused())
	_, err = s.announceGateway(t.Context(), "test", "a", "one", time.Minute, false)
	require.ErrorIs(t, err, errNotConnected)
}

// An answer to no question ends the connection, and the next exchange does not read it.
func TestAnswersToNoQuestion(t *testing.T) {
	i := startImpostor(t, func(command string) []byte {
		if command == "PING" {
			return []byte("+PONG\r\n+PONG\r\n")
		}
		return polite(command)
	})
	n := connectTo(t, StoreOptions{Endpoints: []string{i.Addr().String()}}).topology.Load().all[0]
	_, err := n.do(t.Context(), "PING")
	require.NoError(t, err)
	require.Zero(t, n.unused())
	answer, err := n.do(t.Context(), "ECHO", "x")
	require.NoError(t, err)
	require.Equal(t, "OK", answer)
}

// What a connection says first.
func TestLogin(t *testing.T) {
	server := storetest.Start(t)
	c := server.Client()
	server.Do(c, "ACL", "SETUSER", "gateway", "on", ">pw", "~*", "+@all")
	server.Do(c, "CONFIG", "SET", "requirepass", "secret")
	for name, row := range map[string]struct {
		options StoreOptions
		fails   string
	}{
		"a password":          {options: StoreOptions{Password: "secret"}},
		"a user":              {options: StoreOptions{Username: "gateway", Password: "pw"}},
		"a database":          {options: StoreOptions{Password: "secret", Database: 3}},
		"no password":         {fails: "NOAUTH"},
		"a wrong password":    {options: StoreOptions{Password: "other"}, fails: "WRONGPASS"},
		"an unknown user":     {options: StoreOptions{Username: "nobody", Password: "pw"}, fails: "WRONGPASS"},
		"an unknown database": {options: StoreOptions{Password: "secret", Database: 99}, fails: "ERR"},
	} {
		t.Run(name, func(t *testing.T) {
			o := row.options
			o.Endpoints, o.ClientName = []string{server.Addr}, "gateway-1"
			s := newStore(t.Context(), o)
			defer s.close()
			err := s.connect(time.Now())
			if row.fails != "" {
				require.True(t, refusedWith(err, row.fails), err)
				require.Equal(t, ReasonRefused, reasonOf(err))
				require.NotContains(t, err.Error(), "pw")
				return
			}
			require.NoError(t, err)
			about, err := s.topology.Load().all[0].do(t.Context(), "CLIENT", "INFO")
			require.NoError(t, err)
			text, _ := about.([]byte)
			require.Contains(t, string(text), "name=gateway-1")
			require.Equal(t, o.Database == 3, strings.Contains(string(text), "db=3"))
			if o.Username != "" {
				require.Contains(t, string(text), "user=gateway")
			}
		})
	}
}
