package cluster

import (
	"context"
	"time"
)

// Renew notes that a series with a place is seen for the first time in a generation, to be promoted in the store. It
// reports false without room to remember that: then the series must be renewed again.
func (m *Gateway) Renew(p Place, places int) bool {
	k := m.key(keyID{p.Limit, p.Key})
	if k == nil {
		return true
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.used, k.max = m.options.Now(), places
	if _, alone := k.alone[p.Series]; alone {
		return true // the store decides when it is back
	}
	return m.push(k, &k.promote, p.Series) || m.State() != Joined
}

// Lost reports whether the store has refused a series that has a place here.
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

// push adds a series to a list for the background, and reports whether there was room. The key's lock is held.
func (m *Gateway) push(k *key, list *[]uint64, series uint64) bool {
	if m.waiting.Add(1) > maxWaiting {
		m.waiting.Add(-1)
		return false
	}
	*list = append(*list, series)
	m.enqueue(k)
	return true
}

// enqueue has the background visit the key. The key's lock is held.
func (m *Gateway) enqueue(k *key) {
	if k.queued {
		return
	}
	k.queued = true
	m.queueMu.Lock()
	m.queue = append(m.queue, k)
	m.queueMu.Unlock()
}

// perExchange calls go into one pipeline of the background: batches wait behind it.
const perExchange = 4

// errand is a call of the background with what it is about.
type errand struct {
	op     operation
	series []uint64
}

// flush tells the store what has been waiting for it. After a failure the rest waits for the next turn.
func (m *Gateway) flush(ctx context.Context) {
	m.queueMu.Lock()
	queue := m.queue
	m.queue = nil
	m.queueMu.Unlock()
	var calls []call
	var errands []errand
	failures := 0
	send := func() bool {
		ok := m.send(ctx, calls, errands)
		if !ok {
			failures++
		}
		calls, errands = calls[:0], errands[:0]
		return ok
	}
	for at, k := range queue {
		for _, e := range m.errandsOf(k) {
			for len(e.series) > 0 {
				n := min(perCall, len(e.series))
				c := call{op: e.op, key: k, items: make([]string, n)}
				for i, s := range e.series[:n] {
					c.items[i] = text(s)
				}
				calls, errands = append(calls, c), append(errands, errand{e.op, e.series[:n]})
				if e.series = e.series[n:]; len(calls) == perExchange && !send() {
					m.putBack(k, errand{e.op, e.series})
					e.series = nil
				}
			}
		}
		if m.State() != Joined || failures >= maxMisses { // of several nodes one may hang
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

// errandsOf empties the lists of a key.
func (m *Gateway) errandsOf(k *key) []errand {
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
	promote := errand{opPromote, k.promote}
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
	offer := errand{op: opOffer}
	for s, taken := range k.alone {
		if taken {
			offer.series = append(offer.series, s)
		}
	}
	back := errand{opReturn, k.giveBack}
	k.promote, k.giveBack = nil, nil
	return []errand{back, promote, offer}
}

// putBack returns what did not reach the store. What entered alone is offered again anyway.
func (m *Gateway) putBack(k *key, e errand) {
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

// send makes calls in one pipeline and carries out the replies. It reports whether the store answered.
func (m *Gateway) send(ctx context.Context, calls []call, errands []errand) bool {
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
			m.conclude(c, &errands[i], now)
		case !isOfKey(c.err):
			m.putBack(c.key, errands[i])
		}
	}
	return !failed
}

// conclude carries out the reply to a call of the background.
func (m *Gateway) conclude(c *call, e *errand, now time.Time) {
	k := c.key
	k.mu.Lock()
	defer k.mu.Unlock()
	k.learn(&c.reply, now, m.options.Length)
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

// leave sends the store what is left, withdraws the announcement and closes the connections.
func (m *Gateway) leave() {
	if m.State() == Joined {
		ctx, cancel := context.WithTimeout(m.ctx, hangTimeout)
		m.flush(ctx)
		if m.State() == Joined {
			_, _ = m.store.beat(ctx, m.options.Prefix, m.options.Name, m.options.Configuration, lives*m.options.Refresh, true)
		}
		cancel()
	}
	m.cancel()
	m.store.close()
	m.exchanging.Wait()
}
