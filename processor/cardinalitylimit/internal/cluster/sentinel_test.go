package cluster

import (
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/internal/storetest"
)

// Sentinels name the server. When it dies they name its replica, which has all places.
func TestAFailoverBySentinels(t *testing.T) {
	s := newStand(t)
	replica := storetest.StartReplica(t, s.Server)
	sentinel := storetest.StartSentinel(t, "places", s.Server)
	through := func(o *Options) {
		o.Store.Endpoints, o.Store.MasterName = []string{sentinel.Addr}, "places"
	}
	a, b := s.join("a", through), s.join("b", through)
	require.Equal(t, Joined, a.State())
	require.Equal(t, [Alone + 1]int{Admitted: 10}, count(a.ask(series(0, 10)...)))
	s.WaitForReplica()
	s.Kill()
	c := sentinel.Client()
	require.Eventually(t, func() bool {
		address, err := redis.Strings(c.Do("SENTINEL", "get-master-addr-by-name", "places"))
		return err == nil && strings.Join(address, ":") == replica.Addr
	}, time.Minute, 50*time.Millisecond)
	for _, m := range []*member{a, b} {
		require.Eventually(t, func() bool {
			now := time.Now()
			m.heartbeat(now)
			return m.announced.Equal(now) // it has been answered
		}, time.Minute, 50*time.Millisecond, "the sentinel names the replica")
		require.Equal(t, Joined, m.State())
	}
	assert.Equal(t, [Alone + 1]int{Member: 10, Refused: 2}, count(b.ask(series(0, 12)...)))
	assert.Zero(t, a.renewAll()+b.renewAll())
}

// Sentinels that do not know the name, and servers that are no sentinels, leave a gateway alone.
func TestSentinelsThatDoNotKnowTheServer(t *testing.T) {
	s := newStand(t)
	server := storetest.Start(t)
	a := s.join("a", func(o *Options) { o.Store.Endpoints, o.Store.MasterName = []string{server.Addr}, "places" })
	assert.Equal(t, Solo, a.State())
	require.NoError(t, a.Close(t.Context()))
}
