package load

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/ipv4"

	"github.com/otelcol-custom/otelcol-custom/internal/wait"
)

const (
	// maxBatch is the maximum number of datagrams per sendmmsg(2).
	maxBatch = 64
	// maxLag bounds how far a connection may be behind its rate. Beyond it the lost time is not made up for: a large
	// burst would overflow the receiver's socket.
	maxLag = 20 * time.Millisecond
	// minSleep bounds the cost of timers relative to that of sending.
	minSleep = time.Millisecond
)

// Run sends the datagrams of p until its duration ends, its lines are sent, or ctx ends, and returns an exact ledger. It
// calls progress, which may be nil, with the number of lines sent so far every ten seconds. An error means that nothing was
// sent.
func Run(ctx context.Context, p Profile, progress func(lines uint64)) (Ledger, error) {
	if err := p.Validate(); err != nil {
		return Ledger{}, err
	}
	conns := make([]*connection, 0, p.Connections)
	defer func() {
		for _, c := range conns {
			_ = c.socket.Close() // nothing is buffered, so no error can matter
		}
	}()
	for i := range p.Connections {
		c, err := dial(ctx, p, i)
		if err != nil {
			return Ledger{}, err
		}
		conns = append(conns, c)
	}

	if p.Duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.Duration)
		defer cancel()
	}
	// A write to a full Unix socket blocks, and the receiver may never read again.
	release := context.AfterFunc(ctx, func() {
		for _, c := range conns {
			_ = c.socket.SetWriteDeadline(time.Now()) // it fails if the socket is closed, and then no write is blocked
		}
	})
	defer release()
	start := time.Now()
	stop := report(progress, func() (lines uint64) {
		for _, c := range conns {
			lines += c.lines.Load()
		}
		return lines
	})
	var wg sync.WaitGroup
	for _, c := range conns {
		wg.Go(func() { c.send(ctx, start) })
	}
	wg.Wait()
	stop()

	l := Ledger{Endpoint: p.Endpoint, Seed: p.Seed, ElapsedSeconds: time.Since(start).Seconds(), Metrics: map[string]MetricTotal{}}
	for _, c := range conns {
		c.addTo(&l, p)
		l.SendErrors += c.errors
	}
	l.LinesPerSecond = float64(l.Lines) / l.ElapsedSeconds
	return l, nil
}

// connection is a socket with its ring. Only one goroutine may use it at a time.
type connection struct {
	tally
	socket   net.Conn
	batch    batchWriter
	messages []ipv4.Message // the datagrams of the ring, for sendmmsg
	rate     float64        // lines per second; 0: unbounded
	quota    uint64         // lines; 0: unbounded
	errors   uint64         // refusals by the kernel
	lines    atomic.Uint64  // sent so far, without those of the rest
}

func dial(ctx context.Context, p Profile, index int) (*connection, error) {
	r, err := newRing(p, index)
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	socket, err := d.DialContext(ctx, p.Network, p.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("endpoint: must be reachable over %s (got %q): %w", p.Network, p.Endpoint, err)
	}
	c := &connection{
		tally:    tally{ring: r, sent: make([]uint64, len(r.datagrams))},
		socket:   socket,
		batch:    batchWriterTo(socket),
		messages: make([]ipv4.Message, len(r.datagrams)),
		rate:     p.Rate / float64(p.Connections),
		quota:    share(p.Lines, p.Connections, index),
	}
	if p.Lines > 0 && c.quota == 0 {
		return nil, errors.Join(fmt.Errorf("lines: must be at least the number of connections = %d (got %d)", p.Connections, p.Lines), socket.Close())
	}
	for i, d := range r.datagrams {
		c.messages[i].Buffers = [][]byte{d.payload}
	}
	return c, nil
}

// share divides total into parts that differ by at most one, and returns the part of that index.
func share(total uint64, parts, index int) uint64 {
	n := total / uint64(parts)
	if uint64(index) < total%uint64(parts) {
		n++
	}
	return n
}

// send sends the datagrams of the ring in turn until ctx ends or the quota is reached.
func (c *connection) send(ctx context.Context, start time.Time) {
	var lines uint64
	for ctx.Err() == nil {
		budget := uint64(maxBatch * MaxPayloadBytes)
		if c.rate > 0 {
			due := time.Duration(float64(lines) / c.rate * float64(time.Second))
			ahead := due - time.Since(start)
			if ahead > 0 {
				wait.For(ctx.Done(), max(ahead, minSleep))
				continue
			}
			if ahead < -maxLag {
				start = start.Add(-ahead - maxLag)
				ahead = -maxLag
			}
			budget = 1 + uint64(-ahead.Seconds()*c.rate)
		}
		batch := c.nextBatch(lines, budget)
		if len(batch) == 0 { // the next datagram would exceed the quota
			c.sendRest(ctx, int(c.quota-lines))
			return
		}
		n, err := c.batch.WriteBatch(batch, 0)
		for range max(n, 0) {
			lines += uint64(len(c.ring.datagrams[c.next].lines))
			c.sent[c.next]++
			c.next = (c.next + 1) % len(c.messages)
		}
		c.lines.Store(lines)
		// The kernel may refuse a datagram, for example after an ICMP error (port unreachable) for an earlier one.
		// sendmmsg(2) returns the error if the first datagram of a batch is refused, and otherwise the number of sent
		// ones. The next batch begins with the refused datagram.
		if (err != nil || n < len(batch)) && ctx.Err() == nil {
			c.errors++
		}
	}
}

// sendRest sends the first n lines of the next datagram.
func (c *connection) sendRest(ctx context.Context, n int) {
	if n == 0 {
		return
	}
	rest := c.ring.datagrams[c.next].prefix(n)
	for ctx.Err() == nil {
		if _, err := c.socket.Write(rest.payload); err == nil {
			c.rest = rest
			return
		}
		c.errors++
	}
}

// nextBatch returns the next datagrams up to the end of the ring: at most maxBatch, about budget lines, and no more lines
// than the quota.
func (c *connection) nextBatch(sent, budget uint64) []ipv4.Message {
	var lines uint64
	end := c.next
	for end < len(c.messages) && end-c.next < maxBatch && lines < budget {
		n := uint64(len(c.ring.datagrams[end].lines))
		if c.quota > 0 && sent+lines+n > c.quota {
			break
		}
		lines += n
		end++
	}
	return c.messages[c.next:end]
}
