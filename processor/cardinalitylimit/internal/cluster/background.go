package cluster

import (
	"context"
	"time"
)

// Renew adds a member that is seen for the first time in a generation to the promotions for the store. It returns false if
// too many series wait. Then the caller must renew the series again.
func (m *Gateway) Renew(p Place, places int) bool {
	k := m.key(keyID{p.Limit, p.Key})
	if k == nil {
		return true
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.used, k.max = m.options.Now(), places
	if _, alone := k.alone[p.Series]; alone {
		return true // the store decides on it when it answers again
	}
	return m.push(k, &k.promote, p.Series) || m.State() != Joined
}

// Lost reports whether the store has refused a series that entered here without the store.
func (m *Gateway) Lost(p Place) bool {
	m.mu.RLock()
	k := m.keys[keyID{p.Limit, p.Key}]
	m.mu.RUnlock()
	if k == nil {
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	_, lost := k.lost[p.Series]
	return lost
}

// push adds a series to a list for the background. It returns false if too many series wait. The caller holds the lock of the
// key.
func (m *Gateway) push(k *key, list *[]uint64, series uint64) bool {
	if m.waiting.Add(1) > maxWaiting {
		m.waiting.Add(-1)
		return false
	}
	*list = append(*list, series)
	m.enqueue(k)
	return true
}

// enqueue adds the key to the queue of the background. The caller holds the lock of the key.
func (m *Gateway) enqueue(k *key) {
	if k.queued {
		return
	}
	k.queued = true
	m.queueMu.Lock()
	m.queue = append(m.queue, k)
	m.queueMu.Unlock()
}

// perExchange is the number of calls in one pipeline of the background. It is small, because batches wait behind it.
const perExchange = 4

// pendingItems are series of one key that wait for a call of the background.
type pendingItems struct {
	op     operation
	series []uint64
}

// flush sends the waiting items of all keys in the queue. After a failure the remaining items wait for the next turn.
func (m *Gateway) flush(ctx context.Context) {
	m.queueMu.Lock()
	queue := m.queue
	m.queue = nil
	m.queueMu.Unlock()
	var calls []call
	var pending []pendingItems
	failures := 0
	send := func() bool {
		ok := m.send(ctx, calls, pending)
		if !ok {
			failures++
		}
		calls, pending = calls[:0], pending[:0]
		return ok
	}
	for at, k := range queue {
		for _, e := range m.pendingOf(k) {
			for len(e.series) > 0 {
				n := min(perCall, len(e.series))
				c := call{op: e.op, key: k, items: make([]string, n)}
				for i, s := range e.series[:n] {
					c.items[i] = text(s)
				}
				calls, pending = append(calls, c), append(pending, pendingItems{e.op, e.series[:n]})
				if e.series = e.series[n:]; len(calls) == perExchange && !send() {
					m.putBack(k, pendingItems{e.op, e.series})
					e.series = nil
				}
			}
		}
		if m.State() != Joined || failures >= maxMisses { // one of several nodes may not answer
			m.queueMu.Lock()
			m.queue = append(m.queue, queue[at+1:]...)
			m.queueMu.Unlock()
			break
		}
	}
	if len(calls) > 0 {
		send()
	}
}

// pendingOf returns the waiting items of a key and empties its lists.
func (m *Gateway) pendingOf(k *key) []pendingItems {
	var recovered []uint64
	k.mu.Lock()
	recovering := k.recover
	k.mu.Unlock()
	if recovering {
		recovered = m.source.Members(k.limit, k.key)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.queued = false
	promote := pendingItems{opPromote, k.promote}
	m.waiting.Add(-int64(len(k.promote) + len(k.giveBack)))
	for _, s := range recovered {
		_, alone := k.alone[s]
		if _, lost := k.lost[s]; !lost && !alone {
			promote.series = append(promote.series, s)
		}
	}
	if recovering {
		k.recover = false
	}
	offer := pendingItems{op: opOffer}
	for s, entered := range k.alone {
		if entered {
			offer.series = append(offer.series, s)
		}
	}
	back := pendingItems{opReturn, k.giveBack}
	k.promote, k.giveBack = nil, nil
	return []pendingItems{back, promote, offer}
}

// putBack adds items that did not reach the store to the lists of their key. An item of opOffer is still in key.alone.
func (m *Gateway) putBack(k *key, e pendingItems) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch e.op {
	case opPromote:
		for _, s := range e.series {
			m.push(k, &k.promote, s)
		}
	case opReturn:
		for _, s := range e.series {
			m.push(k, &k.giveBack, s)
		}
	}
}

// send makes calls in one pipeline and applies the replies. It reports whether the store answered.
func (m *Gateway) send(ctx context.Context, calls []call, pending []pendingItems) bool {
	for i := range calls {
		k := calls[i].key
		k.mu.Lock()
		calls[i].terms, calls[i].known = terms{k.max, k.max}, k.known
		k.mu.Unlock()
	}
	ctx, cancel := context.WithTimeout(ctx, hangTimeout)
	defer cancel()
	err := m.store.run(ctx, m.common(), calls)
	m.counts.exchanges.Add(1)
	m.noteCalls(calls)
	failed := m.noteExchange(err)
	now := m.options.Now()
	for i := range calls {
		switch c := &calls[i]; {
		case c.err == nil:
			m.applyPending(c, &pending[i], now)
		case !isOfKey(c.err):
			m.putBack(c.key, pending[i])
		}
	}
	return !failed
}

// applyPending updates a key from the reply to a call of the background.
func (m *Gateway) applyPending(c *call, e *pendingItems, now time.Time) {
	k := c.key
	k.mu.Lock()
	defer k.mu.Unlock()
	k.update(&c.reply, now, m.options.Length)
	for i, s := range e.series {
		switch c.reply.codes[i] {
		case 'm', 'a':
			delete(k.alone, s)
			delete(k.lost, s)
		case 'r':
			delete(k.alone, s)
			if k.lost == nil {
				k.lost = make(map[uint64]time.Time)
			}
			k.lost[s] = now
			m.counts.lost.Add(1)
		}
	}
	if k.recover {
		m.enqueue(k)
	}
}

// leave sends the waiting items, withdraws the announcement and closes the connections.
func (m *Gateway) leave() {
	if m.State() == Joined {
		ctx, cancel := context.WithTimeout(m.ctx, hangTimeout)
		m.flush(ctx)
		if m.State() == Joined {
			_, _ = m.store.announceGateway(ctx, m.options.Prefix, m.options.Name, m.options.Configuration, validRefreshes*m.options.Refresh, true)
		}
		cancel()
	}
	m.cancel()
	m.store.close()
}
