package cluster

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/internal/storetest"
)

// move moves a slot without keys between two nodes, as an operator does, and tells all of them.
func move(t *testing.T, slot int, from, to *storetest.Server, all []*storetest.Server, during func()) {
	t.Helper()
	id := func(s *storetest.Server) string { return s.Do(s.Client(), "CLUSTER", "MYID") }
	text := strconv.Itoa(slot)
	to.Do(to.Client(), "CLUSTER", "SETSLOT", text, "IMPORTING", id(from))
	from.Do(from.Client(), "CLUSTER", "SETSLOT", text, "MIGRATING", id(to))
	during()
	for _, s := range append([]*storetest.Server{to, from}, all...) {
		s.Do(s.Client(), "CLUSTER", "SETSLOT", text, "NODE", id(to))
	}
}

// While a slot moves, and after it has moved, a command reaches its node. The nodes are learned again once per second at most.
func TestASlotThatMoves(t *testing.T) {
	servers := storetest.StartCluster(t, 3)
	s := newStore(t.Context(), StoreOptions{Endpoints: []string{servers[2].Addr}})
	t.Cleanup(s.close)
	now := time.Now()
	require.NoError(t, s.connect(now))
	require.True(t, s.severalNodes())
	require.Len(t, s.topology.Load().all, 3)
	const key = "test:{moves}"
	slot := slotOf(key)
	require.Equal(t, strconv.Itoa(slot), servers[0].Do(servers[0].Client(), "CLUSTER", "KEYSLOT", key))
	at := func() (i int) {
		for i := range servers {
			if servers[i].Addr == s.topology.Load().owner(key).address {
				return i
			}
		}
		return -1
	}
	from := at()
	to := (from + 1) % 3
	set := func(value string) {
		c := command{key: key, name: "SET", args: []any{key, value}}
		s.do(t.Context(), &c)
		require.NoError(t, c.err)
	}
	move(t, slot, servers[from], servers[to], servers, func() {
		set("sent on by ASK")
		assert.False(t, s.stale.Load(), "it is for this once")
		c := servers[to].Client()
		require.NoError(t, c.Send("ASKING"))
		value, err := redis.String(c.Do("GET", key))
		require.NoError(t, err)
		require.Equal(t, "sent on by ASK", value)
	})
	set("sent on by MOVED")
	require.Equal(t, "sent on by MOVED", servers[to].Do(servers[to].Client(), "GET", key))
	require.True(t, s.stale.Load())
	require.NoError(t, s.connect(now.Add(relearnPause-1)))
	require.Equal(t, from, at(), "not so soon")
	require.NoError(t, s.connect(now.Add(relearnPause)))
	require.Equal(t, to, at())
	require.False(t, s.stale.Load())
	set("at once")
	require.False(t, s.stale.Load())

	// A node dies: its slots fail, the others do not, and the remaining nodes are asked.
	servers[to].Kill()
	other := ""
	for i := 0; other == ""; i++ {
		if k := fmt.Sprint("k", i); s.topology.Load().owner(k).address != servers[to].Addr {
			other = k
		}
	}
	dead, alive := &command{key: key, name: "GET", args: []any{key}}, &command{key: other, name: "GET", args: []any{other}}
	s.do(t.Context(), dead, alive)
	require.Equal(t, ReasonConnection, reasonOf(dead.err))
	require.NoError(t, alive.err)
	require.True(t, s.stale.Load())
	require.NoError(t, s.connect(now.Add(2*relearnPause)))
	require.True(t, s.severalNodes())
}

func TestSlots(t *testing.T) {
	for key, same := range map[string]string{"test:{a}:h": "a", "{a}{b}": "a", "x{a": "x{a", "{{a}": "{a"} {
		require.Equal(t, slotOf("{"+same+"}"), slotOf(key), key)
	}
	require.NotEqual(t, slotOf("x{}y"), slotOf("x{}z"), "an empty tag is none")
	require.Equal(t, 0x31c3, slotOf("123456789"), "the check value of CRC-16/XMODEM")
	require.Zero(t, slotOf(""))
}

func TestRedirections(t *testing.T) {
	at := &node{address: "10.0.0.1:7000"}
	for text, wanted := range map[string]struct {
		address  string
		once, ok bool
	}{
		"MOVED 1 10.0.0.2:7001": {"10.0.0.2:7001", false, true}, "ASK 1 host.example:7001": {"host.example:7001", true, true},
		"MOVED 1 :7001": {"10.0.0.1:7001", false, true}, "MOVED 1 fe80::1:7001": {"[fe80::1]:7001", false, true},
		"MOVED": {}, "MOVED 1": {}, "ASK 1 x": {}, "ERR 1 10.0.0.2:7001": {}, "MOVEDALL 1 x:1": {}, "": {},
	} {
		address, once, ok := redirection(&command{at: at, err: redis.Error(text)})
		require.Equal(t, wanted.address, address, text)
		require.Equal(t, wanted.once, once, text)
		require.Equal(t, wanted.ok, ok, text)
	}
}

// Nodes that describe their cluster in another form than CLUSTER SLOTS are not used.
func TestSlotsThatAreGarbage(t *testing.T) {
	node := func(host string) string { return fmt.Sprintf("*2\r\n$%d\r\n%s\r\n:1\r\n", len(host), host) }
	for name, answer := range map[string]string{
		"none": "*0\r\n", "null": "*-1\r\n", "a text": "+OK\r\n", "no ranges": "*1\r\n:1\r\n", "an empty range": "*1\r\n*0\r\n",
		"without a node": "*1\r\n*2\r\n:0\r\n:1\r\n", "a null node": "*1\r\n*3\r\n:0\r\n:1\r\n*-1\r\n", "an empty node": "*1\r\n*3\r\n:0\r\n:1\r\n*0\r\n",
		"below zero": "*1\r\n*3\r\n:-1\r\n:1\r\n" + node("a"), "too large": "*1\r\n*3\r\n:0\r\n:16384\r\n" + node("a"),
		"texts": "*1\r\n*3\r\n+x\r\n+y\r\n" + node("a"), "loading": "-LOADING Redis is loading\r\n",
	} {
		i := startImpostor(t, func(command string) []byte {
			if command == "CLUSTER" {
				return []byte(answer)
			}
			return polite(command)
		})
		s := newStore(t.Context(), StoreOptions{Endpoints: []string{i.Addr().String()}})
		require.Error(t, s.connect(time.Now()), name)
		require.Nil(t, s.topology.Load(), name)
		s.close()
	}
}

// A sentinel may be away, and one that is late names a server that is a primary no more.
func TestSentinelsThatAreAwayOrLate(t *testing.T) {
	primary := storetest.Start(t)
	replica := storetest.StartReplica(t, primary)
	sentinel := storetest.StartSentinel(t, "places", primary)
	late := startImpostorAt(t, func(string) func(string) []byte {
		return func(string) []byte {
			host, port := splitAddress(t, replica.Addr)
			return fmt.Appendf(nil, "*2\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n", len(host), host, len(port), port)
		}
	})
	s := newStore(t.Context(), StoreOptions{Endpoints: []string{late.Addr().String()}, MasterName: "places"})
	t.Cleanup(s.close)
	require.ErrorIs(t, s.connect(time.Now()), errNotPrimary)
	s.options.Endpoints = []string{"127.0.0.1:1", late.Addr().String(), sentinel.Addr}
	require.NoError(t, s.connect(time.Now()))
	require.Equal(t, primary.Addr, s.topology.Load().all[0].address)
	require.False(t, s.severalNodes())

	// A server that has become a replica refuses writes: the sentinels are asked again.
	c := primary.Client()
	host, port := splitAddress(t, replica.Addr)
	primary.Do(c, "REPLICAOF", host, port)
	write := command{key: "k", name: "SET", args: []any{"k", "v"}}
	s.do(t.Context(), &write)
	require.Equal(t, ReasonRefused, reasonOf(write.err))
	require.True(t, s.stale.Load())
	require.NoError(t, s.connect(time.Now().Add(relearnPause)), "the old one is kept while there is no other")
	require.NotNil(t, s.topology.Load())
}
