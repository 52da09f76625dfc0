package cluster

import (
	"sync"
	"sync/atomic"
	"time"
)

// counts of a member since its start.
type counts struct {
	answers   [Alone + 1]atomic.Int64
	unasked   atomic.Int64 // strangers that were refused without asking, to spare the store
	exchanges atomic.Int64
	waited    atomic.Int64 // ns that batches waited
	failures  [Reasons]atomic.Int64
	lost      atomic.Int64 // places that the store refused later
	losses    atomic.Int64 // times that the store was found to have lost writes
}

// Stats are the counts of a member and what it knows of the cluster.
type Stats struct {
	State     State
	Gateways  int
	Answers   [Alone + 1]int64 // by Answer
	Unasked   int64
	Exchanges int64
	Waited    time.Duration
	Failures  [Reasons]int64
	Lost      int64
	Losses    int64
}

// Stats returns the state of the member.
func (m *Gateway) Stats() Stats {
	c := &m.counts
	s := Stats{
		State: m.State(), Gateways: int(m.crowd.Load()), Unasked: c.unasked.Load(), Exchanges: c.exchanges.Load(),
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

// Series are the places in use in all gateways, by limit, of the keys that this gateway has met within a generation.
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

// bucket contains permissions to ask. Some are added every second.
type bucket struct {
	mu   sync.Mutex
	left float64
	at   time.Time
}

// spend uses one permission and reports whether there was one.
func (b *bucket) spend(now time.Time, perSecond int) bool {
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
