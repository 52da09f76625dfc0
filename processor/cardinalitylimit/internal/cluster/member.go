package cluster

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/otelcol-custom/otelcol-custom/internal/budget"
)

// Options of a gateway.
type Options struct {
	Store  StoreOptions
	Prefix string // begins all names in the store
	Name   string // name of this gateway, unlike all others
	// Configuration differs where gateways would decide differently.
	Configuration string
	// Limits are the names of the limits with what must be equal for places to keep their meaning.
	Limits      []Limit
	Length      time.Duration // of a generation, whole milliseconds
	Generations int           // remembered
	Timeout     time.Duration // that a batch waits for the store
	Refresh     time.Duration // between two looks at a full key, and between two heartbeats
	MinGateways int           // replaces the number of announced ones if that is smaller
	Budget      *budget.Budget
	Log         *zap.Logger
	Now         func() time.Time
}

// Limit is what the store has to know of a limit.
type Limit struct {
	Name     string
	Identity uint64
}

// Source names the series that have a place here.
type Source interface {
	// Members returns those of a key, or none where they cannot be named.
	Members(limit int, key uint64) []uint64
}

// Gateway is this gateway's part in the cluster. Safe for concurrent use.
type Gateway struct {
	options Options
	store   *store
	begun   time.Time
	source  Source

	mu   sync.RWMutex
	keys map[keyID]*key

	queueMu sync.Mutex
	queue   []*key
	waiting atomic.Int64 // series in the lists of all keys

	breaker breaker
	bucket  bucket
	shift   atomic.Int64 // ns that the store's clock is ahead of ours
	crowd   atomic.Int64 // announced gateways
	agreed  atomic.Bool  // all have our configuration
	counts  counts
	scratch sync.Pool
	// exchanging are exchanges with the store that a batch has begun.
	exchanging sync.WaitGroup

	cancel context.CancelFunc
	ctx    context.Context
	stop   chan struct{}
	done   chan struct{}
	// started: there is a goroutine.
	started bool

	// Of the background.
	announced time.Time // last
	refreshed time.Time // when keys were visited last
	jumps     int       // of the store's clock, in a row
	policy    string    // of eviction, that was logged last
	complaint string    // why the store is away, that was logged last
}

const (
	// perCall items go into one run of the script, perBatch strangers of one batch to the store.
	perCall  = 500
	perBatch = 5000
	// maxFetched members of a full key are fetched, so that this gateway can decide on strangers by itself.
	maxFetched = 10_000
	// decisionsPerSecond of all gateways together about strangers of contested keys that are too large to fetch.
	decisionsPerSecond = 200_000
	// maxWaiting series wait for the background, 8 bytes each.
	maxWaiting = 1 << 18
	// interval is how often the background works.
	interval = time.Second
	// lives is how many refreshes an announcement is valid.
	lives = 3
)

// New returns a gateway that is alone until Start.
func New(o Options) *Gateway {
	m := &Gateway{
		options: o, store: newStore(o.Store), begun: o.Now(), keys: make(map[keyID]*key),
		stop: make(chan struct{}), done: make(chan struct{}),
	}
	m.crowd.Store(1)
	m.breaker.state.Store(int32(Solo))
	m.ctx, m.cancel = context.WithCancel(context.Background())
	m.store.dial = m.ctx
	return m
}

// Join looks for the store, as long as a connection attempt lasts. It may fail: the background goes on looking.
func (m *Gateway) Join() { m.beat(m.options.Now()) }

// Start begins the work in the background. From then on source is asked.
func (m *Gateway) Start(source Source) {
	if m == nil {
		return
	}
	m.source, m.started = source, true
	go m.run()
}

// Close tells the store what it does not know yet, and leaves. It lasts no longer than the store's time limits, and ends
// soon after ctx. To be called once; nil has nothing to close.
func (m *Gateway) Close(ctx context.Context) error {
	if m == nil {
		return nil
	}
	if close(m.stop); !m.started {
		m.leave()
		return nil
	}
	defer m.cancel()
	select {
	case <-m.done:
		return nil
	case <-ctx.Done():
	}
	m.cancel()
	select {
	case <-m.done:
		return nil
	case <-time.After(2 * hangTimeout):
		return errors.New("the store of places hangs: left without telling it")
	}
}

func (m *Gateway) run() {
	defer close(m.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-m.stop:
			m.leave()
			return
		case <-timer.C:
			m.tick()
		}
		pause := min(interval, m.options.Refresh)
		timer.Reset(pause*3/4 + rand.N(pause/2)) //nolint:gosec // jitter
	}
}

// tick is one turn of the background.
func (m *Gateway) tick() {
	now := m.options.Now()
	if m.State() != Joined || now.Sub(m.announced) >= m.options.Refresh {
		m.beat(now)
	}
	if now.Sub(m.refreshed) >= m.options.Refresh {
		m.refreshed = now
		m.visit(now)
	}
	if m.State() == Joined {
		m.flush(m.ctx)
	}
}

// beat announces this gateway and learns of the others. It decides whether the store is there.
func (m *Gateway) beat(now time.Time) {
	if err := m.store.connect(); err != nil {
		m.failed(err)
		return
	}
	ctx, cancel := context.WithTimeout(m.ctx, m.options.Timeout)
	defer cancel()
	life := lives * m.options.Refresh
	before := m.elapsed()
	a, err := m.store.beat(ctx, m.options.Prefix, m.options.Name, m.options.Configuration, life, false)
	after := m.elapsed()
	if m.breaker.note(m, err) {
		return
	}
	lost := !a.known && !m.announced.IsZero() && now.Sub(m.announced) < life
	m.announced = now
	m.crowd.Store(int64(max(a.gateways, 1)))
	m.agreed.Store(a.configurations == 1)
	// Our generations begin a little later than the store's: what is promoted then is promoted into the new one.
	m.adjust(time.Duration(a.now.UnixNano()-after-(after-before)) - margin)
	m.breaker.close(m)
	m.checkPolicy(ctx)
	if lost {
		m.counts.losses.Add(1)
		m.options.Log.Warn("The store of places has lost what it had: the gateways tell it again")
		m.recoverAll()
	}
}

// margin covers what clocks drift apart between two heartbeats.
const margin = 25 * time.Millisecond

// adjust follows the store's clock. After a jump of more than a generation all would lose their places: it must last for
// some heartbeats.
func (m *Gateway) adjust(shift time.Duration) {
	jumps := (shift-m.Shift()).Abs() > m.options.Length && m.State() != Solo
	if jumps {
		m.jumps++
	}
	if jumps && m.jumps < lives {
		m.options.Log.Warn("The clock of the store of places jumps", zap.Duration("ahead_of_ours", shift), zap.Duration("before", m.Shift()))
		return
	}
	m.jumps = 0
	m.shift.Store(int64(shift))
}

// elapsed is our time, by the monotonic clock, in ns since the epoch.
func (m *Gateway) elapsed() int64 {
	return m.begun.UnixNano() + int64(m.options.Now().Sub(m.begun))
}

// checkPolicy warns of a store that may evict places.
func (m *Gateway) checkPolicy(ctx context.Context) {
	policy, err := m.store.evicts(ctx)
	if err != nil || policy == m.policy { // INFO may be forbidden
		return
	}
	m.policy = policy
	if policy != "" {
		m.options.Log.Warn("The store of places may evict them: maxmemory-policy must be noeviction", zap.String("policy", policy))
	}
}

// visit forgets keys that are idle and has the rest offered again.
func (m *Gateway) visit(now time.Time) {
	remembered := m.options.Length * time.Duration(m.options.Generations)
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, k := range m.keys {
		k.mu.Lock()
		for series, at := range k.lost {
			if now.Sub(at) > remembered {
				delete(k.lost, series)
			}
		}
		if len(k.fetched) > 0 && now.Sub(k.fetchedAt) > max(remembered, lives*m.options.Refresh) {
			m.keep(k, nil, time.Time{})
		}
		if len(k.alone) > 0 {
			m.enqueue(k)
		}
		if k.idle(now, m.options.Length) && !k.queued {
			m.keep(k, nil, time.Time{})
			m.options.Budget.Release(keyBytes)
			delete(m.keys, id)
		}
		k.mu.Unlock()
	}
}

// keep remembers the fetched members, unless the budget has no room. The key's lock is held.
func (m *Gateway) keep(k *key, members []uint64, at time.Time) {
	const bytes = 8
	m.options.Budget.Release(bytes * cap(k.fetched))
	k.fetched, k.fetchedAt = nil, time.Time{}
	if members != nil && m.options.Budget.Reserve(bytes*cap(members)) {
		k.fetched, k.fetchedAt = members, at
	}
}

// recoverAll has all members that this gateway knows told to the store.
func (m *Gateway) recoverAll() {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, k := range m.keys {
		k.mu.Lock()
		k.startHealing(m.options.Now(), m.options.Length)
		m.enqueue(k)
		k.mu.Unlock()
	}
}

// key returns what is known of a key, or nil without room for it.
func (m *Gateway) key(id keyID) *key {
	m.mu.RLock()
	k := m.keys[id]
	m.mu.RUnlock()
	if k != nil {
		return k
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if k = m.keys[id]; k != nil {
		return k
	}
	if !m.options.Budget.Reserve(keyBytes) {
		return nil
	}
	l := &m.options.Limits[id.limit]
	k = &key{keyID: id, used: m.options.Now(), base: fmt.Sprintf("%s:{%s:%016x}:", m.options.Prefix, readable(l.Name), mixed(l.Identity^mixed(id.key)))}
	m.keys[id] = k
	return k
}

// readable makes a name one that contains no hash tag.
func readable(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.' {
			return r
		}
		return '_'
	}, name)
}

// mixed spreads the bits of a hash.
func mixed(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// gateways is the number of gateways that share what is free while the store is away.
func (m *Gateway) gateways() int { return max(int(m.crowd.Load()), m.options.MinGateways) }

// Shift is how far the store's clock is ahead of ours.
func (m *Gateway) Shift() time.Duration { return time.Duration(m.shift.Load()) }

// State says how far this gateway is part of the cluster.
func (m *Gateway) State() State { return State(m.breaker.state.Load()) }

func (m *Gateway) common() common {
	return common{
		lengthMillis: m.options.Length.Milliseconds(), generations: m.options.Generations, waits: 1, agreed: m.agreed.Load(),
	}
}
