package cluster

import (
	"context"
	"slices"
	"strconv"
	"time"
)

// askScratch is the memory of one Ask. It is reused.
type askScratch struct {
	index  map[keyID]int // index in groups
	groups []keyWants
	calls  []call
	parts  [][2]int // by call: index of its group, and index in the group's open of the first want of the call
	asked  int      // wants in the calls
}

// keyWants are the wants of one key.
type keyWants struct {
	key   *key
	wants []int // indexes of wants
	open  []int // indexes of the wants that the store decides on
}

// noteTerms copies the numbers of the limit from the wants to their key.
func (g *keyWants) noteTerms(wants []Want, now time.Time) {
	g.key.mu.Lock()
	defer g.key.mu.Unlock()
	first := &wants[g.wants[0]]
	g.key.used, g.key.terms = now, terms{first.Max, first.Contested}
}

// Ask sets the answers of the wants. It uses this gateway's copies of the keys if they suffice, and otherwise one exchange
// with the store. It needs a second exchange when it fetches the members of a full key. It waits no longer than
// Options.Timeout. Wants must contain each place only once.
func (m *Gateway) Ask(wants []Want) {
	b, ok := m.scratch.Get().(*askScratch)
	if !ok {
		b = &askScratch{index: make(map[keyID]int)}
	}
	defer m.release(b)
	b.group(m, wants)
	now := m.options.Now()
	for i := range b.groups {
		b.groups[i].noteTerms(wants, now)
	}
	joined := m.State() == Joined
	ctx, cancel := context.WithTimeout(m.ctx, m.options.Timeout)
	defer cancel()
	if joined {
		m.fetch(ctx, b, now)
	}
	for i := range b.groups {
		m.answerLocally(b, &b.groups[i], wants, now, joined)
	}
	if b.asked > 0 {
		m.askStore(ctx, b, wants)
	}
	for i := range wants {
		m.counts.answers[wants[i].Answer].Add(1)
	}
}

func (m *Gateway) release(b *askScratch) {
	clear(b.index)
	for i := range b.groups {
		g := &b.groups[i]
		g.key, g.wants, g.open = nil, g.wants[:0], g.open[:0]
	}
	clear(b.calls)
	b.groups, b.calls, b.parts, b.asked = b.groups[:0], b.calls[:0], b.parts[:0], 0
	m.scratch.Put(b)
}

// group groups the wants by key. If the budget has no memory for a key, its strangers are refused.
func (b *askScratch) group(m *Gateway, wants []Want) {
	for i := range wants {
		w := &wants[i]
		id := keyID{w.Limit, w.Key}
		at, ok := b.index[id]
		if !ok {
			k := m.key(id)
			if k == nil {
				w.Answer = Refused
				continue
			}
			at = len(b.groups)
			b.groups = slices.Grow(b.groups, 1)[:at+1]
			b.groups[at].key = k
			b.index[id] = at
		}
		b.groups[at].wants = append(b.groups[at].wants, i)
	}
}

// fetch reads the members of the contested keys whose copies are older than Options.Refresh.
func (m *Gateway) fetch(ctx context.Context, b *askScratch, now time.Time) {
	for i := range b.groups {
		g := &b.groups[i]
		k := g.key
		k.mu.Lock()
		if k.isContested() && !now.Before(k.avoid) && k.members <= maxFetched && !k.fetching && now.Sub(k.fetchedAt) >= m.options.Refresh {
			k.fetching = true
			b.calls = append(b.calls, call{op: opFetch, key: k, terms: k.terms, known: k.known, items: []string{strconv.Itoa(maxFetched)}})
		}
		k.mu.Unlock()
	}
	if len(b.calls) == 0 {
		return
	}
	m.exchange(ctx, b.calls)
	for i := range b.calls {
		c := &b.calls[i]
		c.key.mu.Lock()
		c.key.fetching = false
		if c.err == nil {
			c.key.update(&c.reply, now, m.options.Length)
			if len(c.reply.all) > 0 || c.reply.members == 0 {
				m.storeFetched(c.key, c.key.merged(c.reply.all, now), now)
			}
			if c.key.recover {
				m.enqueue(c.key)
			}
		}
		c.key.mu.Unlock()
	}
	clear(b.calls)
	b.calls = b.calls[:0]
}

// answerLocally answers the wants of one key that need no exchange, and adds the others to g.open.
func (m *Gateway) answerLocally(b *askScratch, g *keyWants, wants []Want, now time.Time, joined bool) {
	k := g.key
	k.mu.Lock()
	defer k.mu.Unlock()
	gateways := m.gateways()
	contested := k.isContested()
	fresh := contested && !k.fetchedAt.IsZero() && now.Sub(k.fetchedAt) < 2*m.options.Refresh
	for _, i := range g.wants {
		w := &wants[i]
		switch {
		case !joined || now.Before(k.avoid):
			w.Answer = k.enterAlone(w, gateways)
		case fresh && k.has(w.Series):
			w.Answer = Member
			m.push(k, &k.promote, w.Series)
		case fresh && k.members >= w.Max:
			w.Answer = Refused
		case b.asked == perBatch || contested && !m.bucket.allow(now, decisionsPerSecond/gateways):
			w.Answer = Refused
			m.counts.unasked.Add(1)
		default:
			g.open = append(g.open, i)
			b.asked++
		}
	}
}

// askStore asks the store about the open wants.
func (m *Gateway) askStore(ctx context.Context, b *askScratch, wants []Want) {
	for at := range b.groups {
		g := &b.groups[at]
		for first := 0; first < len(g.open); first += perCall {
			part := g.open[first:min(first+perCall, len(g.open))]
			items := make([]string, 0, 2*len(part))
			for _, i := range part {
				w := &wants[i]
				stamp := "0"
				if !w.Peek {
					stamp = strconv.FormatUint(uint64(w.Stamp)|1<<32, 10) // never 0
				}
				items = append(items, text(w.Series), stamp)
			}
			w := &wants[part[0]]
			g.key.mu.Lock()
			known := g.key.known
			g.key.mu.Unlock()
			b.calls = append(b.calls, call{op: opAsk, key: g.key, terms: terms{w.Max, w.Contested}, known: known, items: items})
			b.parts = append(b.parts, [2]int{at, first})
		}
	}
	m.exchange(ctx, b.calls)
	now := m.options.Now()
	for i := range b.calls {
		c := &b.calls[i]
		g, first := &b.groups[b.parts[i][0]], b.parts[i][1]
		m.apply(c, g.open[first:min(first+perCall, len(g.open))], wants, now)
	}
}

// apply sets the answers of some wants from the reply to their call, and updates the key.
func (m *Gateway) apply(c *call, part []int, wants []Want, now time.Time) {
	k := c.key
	k.mu.Lock()
	defer k.mu.Unlock()
	if c.err != nil {
		k.avoid = now.Add(interval)
		gateways := m.gateways()
		for _, i := range part {
			wants[i].Answer = k.enterAlone(&wants[i], gateways)
		}
		return
	}
	k.update(&c.reply, now, m.options.Length)
	for at, i := range part {
		w := &wants[i]
		switch c.reply.codes[at] {
		case 'm':
			w.Answer = Member
		case 'a':
			w.Answer = Admitted
		default:
			w.Answer = Refused
			if now.Before(k.incompleteUntil) && k.has(w.Series) { // the store has lost this member
				w.Answer = Member
				m.push(k, &k.promote, w.Series)
			}
			continue
		}
		delete(k.lost, w.Series)
		delete(k.alone, w.Series)
	}
	if k.recover {
		m.enqueue(k)
	}
}

// exchange makes calls in one pipeline and sets their replies. It returns soon after the end of ctx.
func (m *Gateway) exchange(ctx context.Context, calls []call) {
	begin := m.options.Now()
	err := m.store.run(ctx, m.common(), calls)
	m.counts.exchanges.Add(1)
	m.counts.waited.Add(int64(m.options.Now().Sub(begin)))
	m.noteCalls(calls)
	m.noteExchange(err)
}

func (m *Gateway) noteCalls(calls []call) {
	for i := range calls {
		switch c := &calls[i]; {
		case c.err == nil && c.reply.lost:
			m.counts.losses.Add(1)
		case isOfKey(c.err):
			m.counts.failures[ReasonKey].Add(1)
		}
	}
}

// Finish returns the places that were given and that the caller does not use.
func (m *Gateway) Finish(wants []Want) {
	for i := range wants {
		w := &wants[i]
		if w.Answer != Alone && (w.Answer != Admitted || w.Entered) {
			continue
		}
		k := m.key(keyID{w.Limit, w.Key})
		if k == nil {
			continue
		}
		k.mu.Lock()
		entered, alone := k.alone[w.Series]
		switch {
		case w.Answer == Admitted:
			m.push(k, &k.giveBack, w.Series)
		case alone && w.Entered:
			k.alone[w.Series] = true
		case alone && !entered:
			delete(k.alone, w.Series)
		}
		k.mu.Unlock()
	}
}

// text returns a series as the store keeps it: as a signed number, because sets of numbers need less memory there.
func text(series uint64) string { return strconv.FormatInt(int64(series), 10) } //nolint:gosec // bits
