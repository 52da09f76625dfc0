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
	Prefix string // beginning of all names in the store
	Name   string // unique name of this gateway
	// Configuration is a text that differs between gateways that would decide differently.
	Configuration string
	Limits        []Limit
	Length        time.Duration // of a generation, in whole milliseconds
	Generations   int           // number of remembered generations
	Timeout       time.Duration // for which a batch waits for the store
	Refresh       time.Duration // between two fetches of the members of a full key, and between two heartbeats
	MinGateways   int           // replaces the number of announced gateways if that is smaller
	Budget        *budget.Budget
	Log           *zap.Logger
	Now           func() time.Time
}

// Limit identifies a limit in the store. Gateways share the places of limits with equal names and identities.
type Limit struct {
	Name     string
	Identity uint64
}

// Source lists the members at this gateway.
type Source interface {
	// Members returns the series of a key that have a place. It returns none if they cannot be listed.
	Members(limit int, key uint64) []uint64
}

// Gateway is this gateway's part of the cluster. It is safe for concurrent use.
type Gateway struct {
	options Options
	store   *store
	begun   time.Time
	source  Source

	mu   sync.RWMutex
	keys map[keyID]*key

	queueMu sync.Mutex
	queue   []*key
	waiting atomic.Int64 // series in the lists promote and giveBack of all keys

	breaker      breaker
	bucket       bucket
	shift        atomic.Int64 // ns that the store's clock is ahead of ours
	gatewayCount atomic.Int64 // announced gateways
	agreed       atomic.Bool  // all have our configuration
	counts       counts
	scratch      sync.Pool

	cancel context.CancelFunc
	ctx    context.Context
	stop   chan struct{}
	done   chan struct{}
	// started is true after Start, which starts the goroutine of the background.
	started bool

	// Only the background uses the fields below.
	announced    time.Time // last heartbeat
	refreshed    time.Time // last visit of all keys
	jumps        int       // heartbeats in a row at which the store's clock had jumped
	policy       string    // last logged eviction policy
	loggedReason string    // last logged reason of a failure
}

const (
	// perCall is the maximum number of items of one run of the script.
	perCall = 500
	// perBatch is the maximum number of strangers of one batch that the store is asked about.
	perBatch = 5000
	// maxFetched is the maximum number of members of a full key that are fetched. With them this gateway decides on strangers
	// by itself.
	maxFetched = 10_000
	// decisionsPerSecond bounds the questions of all gateways together about strangers of contested keys without fetched
	// members.
	decisionsPerSecond = 200_000
	// maxWaiting is the maximum number of series that wait for the background, 8 bytes each.
	maxWaiting = 1 << 18
	// interval is the time between two turns of the background.
	interval = time.Second
	// validRefreshes is the number of refreshes for which an announcement is valid.
	validRefreshes = 3
)

// New returns a gateway in the state Solo.
func New(o Options) *Gateway {
	m := &Gateway{
		options: o, begun: o.Now(), keys: make(map[keyID]*key),
		stop: make(chan struct{}), done: make(chan struct{}),
	}
	m.gatewayCount.Store(1)
	m.breaker.state.Store(int32(Solo))
	m.ctx, m.cancel = context.WithCancel(context.Background())
	m.store = newStore(m.ctx, o.Store)
	return m
}

// Join makes one attempt to connect to the store. If it fails, the background makes further attempts.
func (m *Gateway) Join() { m.heartbeat(m.options.Now()) }

// Start starts the background. Source must be usable from now on.
func (m *Gateway) Start(source Source) {
	if m == nil {
		return
	}
	m.source, m.started = source, true
	go m.run()
}

// Close sends the waiting items to the store, withdraws the announcement and closes the connections. It lasts no longer than
// the timeouts of the store and ends soon after ctx. It must be called once. A nil Gateway has nothing to close.
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
		return errors.New("the store of places does not answer: closed without withdrawing the announcement")
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
		m.heartbeat(now)
	} else {
		_ = m.store.connect(now) // the nodes may have changed
	}
	if now.Sub(m.refreshed) >= m.options.Refresh {
		m.refreshed = now
		m.visit(now)
	}
	if m.State() == Joined {
		m.flush(m.ctx)
	}
}

// heartbeat announces this gateway and reads the number of the others. It decides whether the state is Joined.
func (m *Gateway) heartbeat(now time.Time) {
	if err := m.store.connect(now); err != nil {
		m.failed(err)
		return
	}
	ctx, cancel := context.WithTimeout(m.ctx, m.options.Timeout)
	defer cancel()
	life := validRefreshes * m.options.Refresh
	before := m.elapsed()
	a, err := m.store.announceGateway(ctx, m.options.Prefix, m.options.Name, m.options.Configuration, life, false)
	after := m.elapsed()
	if m.breaker.note(m, err) {
		return
	}
	lost := !a.known && !m.announced.IsZero() && now.Sub(m.announced) < life
	m.announced = now
	m.gatewayCount.Store(int64(max(a.gateways, 1)))
	m.agreed.Store(a.configurations == 1)
	// Our generations begin a little later than those of the store, so a promotion goes into the store's new generation.
	m.adjust(time.Duration(a.now.UnixNano()-after-(after-before)) - margin)
	m.breaker.close(m)
	m.checkPolicy(ctx)
	if lost {
		m.counts.losses.Add(1)
		m.options.Log.Warn("The store of places has lost what it had: the gateways send their places again")
		m.recoverAll()
	}
}

// margin covers the drift of the clocks between two heartbeats.
const margin = 25 * time.Millisecond

// adjust sets the shift to the store's clock. With a jump of more than a generation all series would lose their places, so
// adjust follows a jump only if it lasts for several heartbeats.
func (m *Gateway) adjust(shift time.Duration) {
	jumps := (shift-m.Shift()).Abs() > m.options.Length && m.State() != Solo
	if jumps {
		m.jumps++
	}
	if jumps && m.jumps < validRefreshes {
		m.options.Log.Warn("The clock of the store of places jumps", zap.Duration("ahead_of_ours", shift), zap.Duration("before", m.Shift()))
		return
	}
	m.jumps = 0
	m.shift.Store(int64(shift))
}

// elapsed is the time of this gateway in ns since the epoch. It advances by the monotonic clock.
func (m *Gateway) elapsed() int64 {
	return m.begun.UnixNano() + int64(m.options.Now().Sub(m.begun))
}

// checkPolicy warns of a store that may evict places.
func (m *Gateway) checkPolicy(ctx context.Context) {
	policy, err := m.store.evictionPolicy(ctx)
	if err != nil || policy == m.policy { // INFO may be forbidden
		return
	}
	m.policy = policy
	if policy != "" {
		m.options.Log.Warn("The store of places may evict them: maxmemory-policy must be noeviction", zap.String("policy", policy))
	}
}

// visit deletes idle keys and old parts of the others. It queues the keys with series that entered without the store.
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
		if len(k.fetched) > 0 && now.Sub(k.fetchedAt) > max(remembered, validRefreshes*m.options.Refresh) {
			m.storeFetched(k, nil, time.Time{})
		}
		if len(k.alone) > 0 {
			m.enqueue(k)
		}
		if k.idle(now, m.options.Length) && !k.queued {
			m.storeFetched(k, nil, time.Time{})
			m.options.Budget.Release(keyBytes)
			delete(m.keys, id)
		}
		k.mu.Unlock()
	}
}

// storeFetched stores the fetched members, unless the budget has no memory. The caller holds the lock of the key.
func (m *Gateway) storeFetched(k *key, members []uint64, at time.Time) {
	const bytes = 8
	m.options.Budget.Release(bytes * cap(k.fetched))
	k.fetched, k.fetchedAt = nil, time.Time{}
	if members != nil && m.options.Budget.Reserve(bytes*cap(members)) {
		k.fetched, k.fetchedAt = members, at
	}
}

// recoverAll makes the background promote all members that this gateway knows.
func (m *Gateway) recoverAll() {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, k := range m.keys {
		k.mu.Lock()
		k.startRecovery(m.options.Now(), m.options.Length)
		m.enqueue(k)
		k.mu.Unlock()
	}
}

// key returns a key and adds it if necessary. It returns nil if the budget has no memory for it.
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

// readable replaces the characters of a name that could form a hash tag.
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

// gateways is the number of gateways that share the free places while the store does not answer.
func (m *Gateway) gateways() int { return max(int(m.gatewayCount.Load()), m.options.MinGateways) }

// Shift is the time of the store's clock minus that of ours.
func (m *Gateway) Shift() time.Duration { return time.Duration(m.shift.Load()) }

// State returns the relation to the store.
func (m *Gateway) State() State { return State(m.breaker.state.Load()) }

func (m *Gateway) common() common {
	return common{
		lengthMillis: m.options.Length.Milliseconds(), generations: m.options.Generations, waits: 1, agreed: m.agreed.Load(),
	}
}
