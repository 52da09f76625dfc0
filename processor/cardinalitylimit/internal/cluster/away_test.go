package cluster

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheStoreAway(t *testing.T) {
	s := newStand(t)
	a, b := s.join("a", func(o *Options) { o.Timeout = 50 * time.Millisecond }), s.join("b", func(o *Options) { o.Timeout = 50 * time.Millisecond })
	a.heartbeat(time.Now())
	a.ask(series(0, 4)...)
	b.ask(series(0, 4)...)
	s.Kill()
	got := count(a.ask(series(0, 20)...))
	// The series of a have a place there and are not asked about; here they are, and count as strangers.
	assert.Equal(t, 3, got[Alone], "half of the six places that are free")
	assert.Equal(t, 17, got[Refused])
	for range maxMisses {
		b.heartbeat(time.Now())
		a.heartbeat(time.Now())
	}
	require.Equal(t, Degraded, a.State())
	begin := time.Now()
	got = count(b.ask(series(100, 120)...))
	assert.Equal(t, 3, got[Alone])
	assert.Less(t, time.Since(begin), 40*time.Millisecond, "nobody waits")
	assert.Zero(t, a.renewAll()+b.renewAll())
}

func TestLocalAdmissionsAreOfferedOnReturn(t *testing.T) {
	s := newStand(t)
	a, b := s.join("a", nil), s.join("b", nil)
	a.heartbeat(time.Now())
	a.ask(series(0, 4)...)
	b.ask(series(0, 4)...)
	a.breaker.state.Store(int32(Degraded)) // the store is away for a only
	require.Equal(t, 3, count(a.ask(series(20, 40)...))[Alone])
	require.Equal(t, 5, count(b.ask(series(60, 65)...))[Admitted])
	a.heartbeat(time.Now())
	require.Equal(t, Joined, a.State())
	a.visit(time.Now())
	a.flush(t.Context())
	assert.Equal(t, 10, a.look(), "one of the three found a place")
	assert.EqualValues(t, 2, a.Stats().Lost)
	assert.Zero(t, b.renewAll())
	assert.Equal(t, 2, a.renewAll())
	assert.Len(t, a.series, 5)
}

// One that starts alone uses an equal share of the limit.
func TestAGatewayThatStartsAlone(t *testing.T) {
	s := newStand(t)
	s.Kill()
	a := s.join("a", func(o *Options) { o.MinGateways = 3 })
	require.Equal(t, Solo, a.State())
	assert.Equal(t, [Alone + 1]int{Alone: 3, Refused: 7}, count(a.ask(series(0, 10)...)))
	s.Restart()
	s.client = s.Client()
	s.add(0)
	a.heartbeat(time.Now())
	require.Equal(t, Joined, a.State())
	a.visit(time.Now())
	a.flush(t.Context())
	assert.Equal(t, 3, a.look())
}

// A flush of the store: incumbents are promoted again, and strangers wait for the next generation.
func TestTheStoreForgets(t *testing.T) {
	for name, forget := range map[string]func(*stand, *member){
		"flush": func(s *stand, _ *member) { s.Do(s.client, "FLUSHALL"); s.add(0) },
		"a set is evicted": func(s *stand, m *member) {
			s.Do(s.client, "DEL", m.key(keyID{0, 7}).names(3)[1+int(begin/1_800_000)%3])
		},
		"failover":          func(s *stand, m *member) { s.rollBack(m) },
		"restarted and old": func(s *stand, _ *member) { s.Restart(); s.client = s.Client(); s.add(0) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t)
			a, b := s.join("a", nil), s.join("b", nil)
			a.ask(series(0, 5)...)
			b.ask(series(0, 8)...)
			a.ask(series(0, 8)...)
			forget(s, a)
			for range 2 { // the connection may be closed
				a.heartbeat(time.Now())
				b.heartbeat(time.Now())
			}
			require.Equal(t, Joined, a.State())
			a.flush(t.Context())
			got := count(a.ask(series(50, 52)...))
			assert.Equal(t, 2, got[Refused], "strangers wait")
			a.flush(t.Context())
			b.ask(series(53, 54)...)
			b.flush(t.Context())
			assert.Equal(t, 8, a.look())
			s.add(length)
			require.Zero(t, a.renewAll()+b.renewAll())
			a.look()
			assert.Equal(t, 2, count(a.ask(series(50, 54)...))[Admitted])
			assert.Equal(t, 10, a.look())
		})
	}
}

// rollBack leaves the state of a replica that missed the last writes.
func (s *stand) rollBack(m *member) {
	k := m.key(keyID{0, 7})
	header := strings.Fields(s.Do(s.client, "GET", k.base+"h"))
	number, err := strconv.Atoi(header[3])
	require.NoError(s.t, err)
	header[3] = strconv.Itoa(number - 1)
	set := k.names(3)[1+int(begin/1_800_000)%3]
	s.Do(s.client, "SREM", set, text(series(7, 8)[0]))
	header[6+int(begin/1_800_000)%3] = "7"
	s.Do(s.client, "SET", k.base+"h", strings.Join(header, " "))
}

func TestHostileStore(t *testing.T) {
	s := newStand(t)
	a := s.join("a", nil)
	a.ask(series(0, 3)...)
	k := a.key(keyID{0, 7})
	for i, name := range k.names(3) {
		s.Do(s.client, "FLUSHALL")
		s.add(0)
		s.Do(s.client, "LPUSH", name, "x")
		a.contested = 0
		got := count(a.ask(series(100*i+20, 100*i+40)...))
		assert.Zero(t, got[Admitted]+got[Member]-got[Member], name)
		require.Equal(t, Joined, a.State(), "one key is not the store")
	}
	s.Do(s.client, "FLUSHALL")
	s.add(0)
	for _, header := range []string{"", "x", "1 2 3", "1 99999999999999 1 1 1 1 1 1 1", strings.Repeat("9 ", 9), "-1 -1 -1 -1 -1 -1 -1 -1 -1"} {
		s.Do(s.client, "SET", k.base+"h", header)
		a.ask(series(0, 20)...)
		require.Equal(t, Joined, a.State(), header)
	}
}

// A clock of the store that jumps by more than a generation is followed after some heartbeats: a server that is wrong for a
// moment removes nobody. Small differences are followed at once.
func TestTheClockOfTheStoreJumps(t *testing.T) {
	s := newStand(t)
	a := s.join("a", nil)
	before := a.Shift()
	for _, jump := range []time.Duration{2 * length, -1000 * time.Hour} {
		for range validRefreshes - 1 {
			a.adjust(before + jump)
			require.Equal(t, before, a.Shift())
		}
		a.adjust(before + time.Minute) // it was a moment
		before += time.Minute
		require.Equal(t, before, a.Shift())
		for range validRefreshes {
			a.adjust(before + jump)
		}
		before += jump
		require.Equal(t, before, a.Shift())
	}
}

// After a failover the clock may be an earlier one. Nobody loses a place, and generations go on when its clock is there.
func TestTheClockOfTheStoreGoesBack(t *testing.T) {
	s := newStand(t)
	a := s.join("a", nil)
	s.add(5 * length)
	a.ask(series(0, 10)...)
	s.add(-2 * length)
	require.Zero(t, a.renewAll())
	require.Equal(t, [Alone + 1]int{Refused: 3}, count(a.ask(series(50, 53)...)))
	for range 4 {
		s.add(length)
		require.Zero(t, a.renewAll())
	}
	require.Equal(t, 10, a.look())
}
