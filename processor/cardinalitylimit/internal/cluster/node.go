package cluster

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// maxConns is the maximum number of connections to a server. Batches that ask at the same time each use one. With 64 such
	// batches, the last ones wait for eight round trips.
	maxConns = 8
	// idleTimeout is the time after which an unused connection is closed, when the next exchange with the server begins or ends.
	// Exchanges use the newest idle connection, so that the others can expire.
	idleTimeout = 30 * time.Second
)

// node is a server and the connections to it. Safe for concurrent use.
type node struct {
	address string
	dial    func(ctx context.Context, address string) (*conn, error)
	now     func() time.Time
	life    context.Context // its end ends connection attempts; close ends it
	end     context.CancelFunc
	inUse   chan struct{}  // one element for each connection that is in use or being made
	making  sync.WaitGroup // connection attempts

	mu     sync.Mutex // guards everything below
	idle   []idleConn // the one used last is the last
	closed bool
}

type idleConn struct {
	*conn
	since time.Time
}

// newNode returns a server without connections. It must be closed. The end of ctx ends its connection attempts, too.
func newNode(ctx context.Context, address string, dial func(ctx context.Context, address string) (*conn, error)) *node {
	n := &node{address: address, dial: dial, now: time.Now, inUse: make(chan struct{}, maxConns)}
	n.life, n.end = context.WithCancel(ctx)
	return n
}

// exchange sends commands in one pipeline, and sets their replies and errors. It returns soon after the end of ctx.
func (n *node) exchange(ctx context.Context, commands ...*command) {
	c, err := n.acquire(ctx)
	if err != nil {
		for _, command := range commands {
			command.at, command.err = nil, err
		}
		return
	}
	for _, command := range commands {
		command.at = n
	}
	usable := c.exchange(ctx, commands...) && !slices.ContainsFunc(commands, refusedByReplica)
	n.release(c, usable)
	if !usable {
		n.closeIdle(0) // the server may have restarted or hang, so they may be broken, too
	}
}

// run is exchange, and a server that does not know a script, after a restart or a failover, gets its text.
func (n *node) run(ctx context.Context, commands []*command) {
	n.exchange(ctx, commands...)
	var again []*command
	for i, c := range commands {
		if c.script == "" || !refusedWith(c.err, "NOSCRIPT") {
			continue
		}
		if i > 0 && commands[i-1].name == asking {
			again = append(again, commands[i-1])
		}
		c.name, c.args[0] = "EVAL", c.script
		again = append(again, c)
	}
	if len(again) > 0 {
		n.exchange(ctx, again...)
	}
}

// refusedByReplica reports whether the server was a replica. Behind the same name another server may be the primary now, to which only
// a new connection leads.
func refusedByReplica(c *command) bool {
	text, _ := refusal(c.err)
	return strings.Contains(text, "READONLY") // in Redis 6.2 a part of the text
}

// attempt is the result of a connection attempt.
type attempt struct {
	conn *conn
	err  error
}

// acquire returns a connection, which the caller releases: the one that was used last, or a new one. It returns soon after the
// end of ctx.
func (n *node) acquire(ctx context.Context) (*conn, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	select {
	case n.inUse <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	n.closeIdle(idleTimeout)
	if c := n.takeIdle(); c != nil {
		return c, nil
	}
	made := make(chan attempt)
	if !n.start(func() { n.connectFor(ctx, made) }) {
		<-n.inUse
		return nil, context.Canceled
	}
	select {
	case a := <-made:
		if a.err != nil {
			<-n.inUse
		}
		return a.conn, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// release ends the use of a connection. A usable one stays open for the next exchange.
func (n *node) release(c *conn, usable bool) {
	n.mu.Lock()
	keep := usable && !n.closed
	if keep {
		n.idle = append(n.idle, idleConn{c, n.now()})
	}
	n.mu.Unlock()
	if !keep {
		c.close()
	}
	n.closeIdle(idleTimeout)
	<-n.inUse
}

// takeIdle returns the connection that was used last, or nil.
func (n *node) takeIdle() *conn {
	n.mu.Lock()
	defer n.mu.Unlock()
	last := len(n.idle) - 1
	if last < 0 {
		return nil
	}
	c := n.idle[last].conn
	n.idle = n.idle[:last]
	return c
}

// start starts a connection attempt and reports whether the node is still open.
func (n *node) start(attempt func()) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.closed {
		n.making.Go(attempt)
	}
	return !n.closed
}

// connectFor makes a connection for the exchange with the context ctx. If the exchange ends first, the connection becomes idle for a
// later exchange, because connecting may take longer than an exchange may last. connectFor then also frees the element of inUse.
func (n *node) connectFor(ctx context.Context, made chan<- attempt) {
	c, err := n.dial(n.life, n.address)
	select {
	case made <- attempt{c, err}:
	case <-ctx.Done():
		if err == nil {
			n.release(c, true)
		} else {
			<-n.inUse
		}
	}
}

// closeIdle closes the connections that have been unused for a time.
func (n *node) closeIdle(unused time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := n.now()
	n.idle = slices.DeleteFunc(n.idle, func(c idleConn) bool {
		old := now.Sub(c.since) >= unused
		if old {
			c.close()
		}
		return old
	})
}

// close ends the connection attempts and closes the unused connections. The others are closed after their exchanges.
func (n *node) close() {
	n.mu.Lock()
	n.closed = true
	n.mu.Unlock()
	n.end()
	n.making.Wait()
	n.closeIdle(0)
}
