package cluster

import (
	"sync"
	"sync/atomic"
	"time"
)

// counts are the counts of a gateway since its start, see Stats.
type counts struct {
	answers   [Alone + 1]atomic.Int64
	unasked   atomic.Int64
	exchanges atomic.Int64
	waited    atomic.Int64 // ns
	failures  [Reasons]atomic.Int64
	lost      atomic.Int64
	losses    atomic.Int64
}

// Stats are the counts and the state of a gateway.
type Stats struct {
	State     State
	Gateways  int              // announced gateways
	Answers   [Alone + 1]int64 // strangers, by Answer
	Unasked   int64            // strangers that were refused without asking the store, to limit its load
	Exchanges int64            // pipelines sent to the store
	Waited    time.Duration    // time that batches waited for the store
	Failures  [Reasons]int64   // failed exchanges, by Reason
	Lost      int64            // series that entered without the store and that it refused later
	Losses    int64            // times that the store had lost writes
}

// Stats returns the counts and the state.
func (m *Gateway) Stats() Stats {
	c := &m.counts
	s := Stats{
		State: m.State(), Gateways: int(m.gatewayCount.Load()), Unasked: c.unasked.Load(), Exchanges: c.exchanges.Load(),
		Waited: time.Duration(c.waited.Load()), Lost: c.lost.Load(), Losses: c.losses.Load(),
	}
	for i := range c.answers {
		s.Answers[i] = c.answers[i].Load()
	}
	for i := range c.failures {
		s.Failures[i] = c.failures[i].Load()
	}
	return s
}

// Series returns the used places of all gateways together, by limit, for the keys that this gateway has used within the last
// generation.
func (m *Gateway) Series() []int64 {
	series := make([]int64, len(m.options.Limits))
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, k := range m.keys {
		k.mu.Lock()
		series[k.limit] += int64(k.members)
		k.mu.Unlock()
	}
	return series
}

// bucket is a token bucket. A token permits one question to the store about a stranger.
type bucket struct {
	mu   sync.Mutex
	left float64 // tokens
	at   time.Time
}

// allow removes one token and reports whether one was left. PerSecond is the rate at which tokens are added, and their
// maximum number.
func (b *bucket) allow(now time.Time, perSecond int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.at.IsZero() {
		b.left = float64(perSecond)
	} else if d := now.Sub(b.at); d > 0 {
		b.left = min(b.left+d.Seconds()*float64(perSecond), float64(perSecond))
	}
	b.at = now
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}
