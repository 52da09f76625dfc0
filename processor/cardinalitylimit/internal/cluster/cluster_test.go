package cluster

import (
	"context"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zaptest"

	"github.com/otelcol-custom/otelcol-custom/internal/budget"
	"github.com/otelcol-custom/otelcol-custom/internal/storetest"
)

const (
	length = 30 * time.Minute
	// begin is the time of the store in tests: the beginning of a generation.
	begin = 1_700_000_000_000 / 1_800_000 * 1_800_000
)

// stand is a test stand: a store whose clock the test moves.
type stand struct {
	*storetest.Server
	t      *testing.T
	client redis.Conn
	millis int64
}

func newStand(t *testing.T) *stand {
	s := &stand{Server: storetest.Start(t), t: t, millis: begin}
	s.client = s.Client()
	s.add(0)
	return s
}

// add moves the store's clock.
func (s *stand) add(d time.Duration) {
	s.millis += d.Milliseconds()
	s.Do(s.client, "MSET", "now:s", strconv.FormatInt(s.millis/1000, 10), "now:us", strconv.FormatInt(s.millis%1000*1000, 10))
}

// tracked contains the members of a gateway, as its trackers would.
type tracked struct {
	mu     sync.Mutex
	series map[uint64]bool
}

func (h *tracked) Members(int, uint64) (all []uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.series {
		all = append(all, s)
	}
	return all
}

// member is a gateway with the series that have a place in it.
type member struct {
	*Gateway
	tracked
	t              *testing.T
	max, contested int
}

func (s *stand) options(name string) Options {
	return Options{
		Store: StoreOptions{Endpoints: []string{s.Addr}}, Prefix: "test", Name: name, Configuration: "one",
		Limits: []Limit{{"metric", 1}}, Length: length, Generations: 2,
		Timeout: 2 * time.Second, Refresh: 10 * time.Second, MinGateways: 1,
		Budget: budget.New(64 << 20), Log: zaptest.NewLogger(s.t), Now: time.Now,
	}
}

// join makes a gateway without a goroutine: the test calls its turns.
func (s *stand) join(name string, edit func(*Options)) *member {
	o := s.options(name)
	if edit != nil {
		edit(&o)
	}
	m := &member{Gateway: New(o), max: 10, contested: 10, t: s.t}
	m.series = make(map[uint64]bool)
	m.source = &m.tracked
	m.store.places = newScript(strings.Replace(placesScript, "redis.call('TIME')", "redis.call('MGET', 'now:s', 'now:us')", 1))
	s.t.Cleanup(func() { m.cancel(); m.store.close() })
	m.heartbeat(time.Now())
	return m
}

// ask asks for places of one key and enters the series that get one.
func (m *member) ask(series ...uint64) (answers []Answer) { return m.askWith(1, series...) }

func (m *member) askWith(stamp uint32, series ...uint64) (answers []Answer) {
	wants := make([]Want, len(series))
	for i, s := range series {
		wants[i] = Want{Place: Place{0, 7, s}, Max: m.max, Used: len(m.series), Contested: m.contested, Stamp: stamp}
	}
	m.Ask(wants)
	for i := range wants {
		if wants[i].Answer != Refused {
			wants[i].Entered = true
			m.series[wants[i].Series] = true
		}
		answers = append(answers, wants[i].Answer)
	}
	m.Finish(wants)
	return answers
}

// renewAll renews all series, as trackers do when all series report in a new generation.
func (m *member) renewAll() (lost int) {
	for s := range m.series {
		if m.Lost(Place{0, 7, s}) {
			delete(m.series, s)
			lost++
			continue
		}
		require.True(m.t, m.Renew(Place{0, 7, s}, m.max))
	}
	m.flush(context.Background())
	return lost
}

func (m *member) look() int {
	m.key(keyID{0, 7}).fetchedAt = time.Time{}
	m.Ask([]Want{{Place: Place{0, 7, 1 << 40}, Max: m.max, Contested: m.contested, Peek: true}})
	return m.key(keyID{0, 7}).members
}

func series(from, to int) (all []uint64) {
	for i := from; i < to; i++ {
		all = append(all, uint64(i)<<3|1<<63) //nolint:gosec // a test's
	}
	return all
}

func count(answers []Answer) (n [Alone + 1]int) {
	for _, a := range answers {
		n[a]++
	}
	return n
}

func TestAskAdmitsUpToTheLimitOverAllGateways(t *testing.T) {
	s := newStand(t)
	a, b := s.join("a", nil), s.join("b", nil)
	assert.Equal(t, [Alone + 1]int{Admitted: 6}, count(a.ask(series(0, 6)...)))
	assert.Equal(t, [Alone + 1]int{Member: 3, Admitted: 4, Refused: 2}, count(b.ask(series(3, 12)...)))
	assert.Equal(t, [Alone + 1]int{Member: 10, Refused: 2}, count(a.ask(series(0, 12)...)))
	assert.Equal(t, 10, a.look())
}

// A gateway that knows that a key is full decides by itself. It admits members that entered at another gateway.
func TestFullKeysNeedNoExchange(t *testing.T) {
	s := newStand(t)
	a, b := s.join("a", nil), s.join("b", nil)
	a.ask(series(0, 10)...)
	b.ask(series(20, 30)...) // learns that it is full
	b.ask(series(20, 30)...) // fetches
	before := b.Stats().Exchanges
	assert.Equal(t, [Alone + 1]int{Member: 10, Refused: 500}, count(b.ask(append(series(0, 10), series(100, 600)...)...)))
	assert.Equal(t, before, b.Stats().Exchanges)
}

func TestPlacesLastTheRememberedGenerations(t *testing.T) {
	s := newStand(t)
	a, b := s.join("a", nil), s.join("b", nil)
	a.ask(series(0, 10)...)
	s.add(length)
	for _, x := range series(0, 4) { // these report
		a.Renew(Place{0, 7, x}, 10)
	}
	a.flush(t.Context())
	assert.Equal(t, [Alone + 1]int{Refused: 1}, count(b.ask(series(50, 51)...)), "the generation before is remembered")
	s.add(length)
	b.look()
	assert.Equal(t, [Alone + 1]int{Member: 4, Admitted: 6, Refused: 4}, count(b.ask(append(series(0, 4), series(50, 60)...)...)))
	assert.Equal(t, "0", s.Do(s.client, "EXISTS", b.key(keyID{0, 7}).names(3)[1+int(begin/1_800_000)%3]), "a forgotten set is deleted")
}

// Two gateways promote each member once, in any order. The number of members does not change.
func TestPromotionsOfSeveralGatewaysCountOnce(t *testing.T) {
	s := newStand(t)
	a, b := s.join("a", nil), s.join("b", nil)
	a.ask(series(0, 8)...)
	b.ask(series(0, 8)...)
	for range 5 {
		s.add(length)
		require.Zero(t, a.renewAll()+b.renewAll())
		require.Equal(t, 8, a.look())
	}
}

func TestWhatIsNotTakenIsGivenBack(t *testing.T) {
	s := newStand(t)
	a := s.join("a", nil)
	wants := []Want{{Place: Place{0, 7, 8}, Max: 10, Contested: 10, Stamp: 1}}
	a.Ask(wants)
	require.Equal(t, Admitted, wants[0].Answer)
	a.Finish(wants)
	a.flush(t.Context())
	assert.Zero(t, a.look())
}

func TestStalePointsGetNoPlace(t *testing.T) {
	s := newStand(t)
	a := s.join("a", nil)
	a.ask(8)
	wants := []Want{{Place: Place{0, 7, 8}, Max: 10, Contested: 10, Peek: true}, {Place: Place{0, 7, 16}, Max: 10, Contested: 10, Peek: true}}
	a.Ask(wants)
	assert.Equal(t, []Answer{Member, Refused}, []Answer{wants[0].Answer, wants[1].Answer})
	assert.Equal(t, 1, a.look())
}

// A stranger of a contested key must have been active in an earlier slot, at any gateway.
func TestSightingsOfAllGatewaysCount(t *testing.T) {
	s := newStand(t)
	a, b := s.join("a", nil), s.join("b", nil)
	a.contested, b.contested = 8, 8
	a.ask(series(0, 8)...)
	assert.Equal(t, [Alone + 1]int{Refused: 1}, count(a.askWith(1, 800)))
	assert.Equal(t, [Alone + 1]int{Refused: 1}, count(b.askWith(2, 800)), "the same slot")
	s.add(10 * time.Second)
	assert.Equal(t, [Alone + 1]int{Refused: 1}, count(b.askWith(1, 800)), "a repeated value")
	assert.Equal(t, [Alone + 1]int{Admitted: 1}, count(b.askWith(3, 800)))
	s.add(12 * time.Minute)
	assert.Equal(t, [Alone + 1]int{Refused: 1}, count(a.askWith(1, 900)))
	assert.Equal(t, "1", s.Do(s.client, "HLEN", a.key(keyID{0, 7}).base+map[bool]string{true: "a", false: "b"}[s.millis/300_000%2 == 0]))
}

// The memory for sightings is bounded. Series that occur once cannot fill the store.
func TestSightingsAreBounded(t *testing.T) {
	s := newStand(t)
	a := s.join("a", nil)
	a.contested = 8
	a.ask(series(0, 8)...)
	r := rand.New(rand.NewPCG(1, 2))
	for range 60 {
		many := make([]uint64, 500)
		for i := range many {
			many[i] = r.Uint64() &^ 7
		}
		a.ask(many...)
		a.key(keyID{0, 7}).fetchedAt = time.Now() // no look between
	}
	base := a.key(keyID{0, 7}).base
	notes, _ := strconv.Atoi(s.Do(s.client, "HLEN", base+"a"))
	more, _ := strconv.Atoi(s.Do(s.client, "HLEN", base+"b"))
	assert.InDelta(t, 1024, notes+more, 300, "of 30,000 strangers")
}

// During a roll-out the gateways have different limits. Each call uses the limit of its caller. Places are withdrawn only when
// all gateways have the same configuration.
func TestLimitsThatDiffer(t *testing.T) {
	s := newStand(t)
	a, b := s.join("a", nil), s.join("b", func(o *Options) { o.Configuration = "two" })
	b.max, b.contested = 6, 6
	a.heartbeat(time.Now())
	a.ask(series(0, 10)...)
	assert.Equal(t, [Alone + 1]int{Member: 10, Refused: 1}, count(b.ask(series(0, 11)...)))
	for range 3 {
		s.add(length)
		require.Zero(t, a.renewAll()+b.renewAll(), "not all agree")
	}
	a.options.Configuration, a.max, a.contested = "two", 6, 6
	s.Do(s.client, "DEL", "test:{gateways}:c") // the old announcement expires
	a.heartbeat(time.Now())
	b.heartbeat(time.Now())
	a.heartbeat(time.Now())
	lost := 0
	for range 3 {
		s.add(length)
		lost += a.renewAll() + b.renewAll()
	}
	assert.NotZero(t, lost)
	assert.Equal(t, 6, a.look())
}
