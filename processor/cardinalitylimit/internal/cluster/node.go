package cluster

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// maxConns is the maximum number of connections to a server. There is more than one only while several batches ask at once.
	// With 8, and 64 batches at once, a batch waits for eight round trips.
	maxConns = 8
	// idleTimeout is the time after which an unused connection is closed. Heartbeats always use the same one.
	idleTimeout = 30 * time.Second
)

// node is a server and the connections to it. Safe for concurrent use.
type node struct {
	address string
	dial    func(address string) (*conn, error)
	now     func() time.Time
	inUse   chan struct{} // one element for each exchange

	mu     sync.Mutex // guards everything below
	idle   []idleConn // the one used last is the last
	closed bool
}

type idleConn struct {
	*conn
	since time.Time
}

func newNode(address string, dial func(address string) (*conn, error)) *node {
	return &node{address: address, dial: dial, now: time.Now, inUse: make(chan struct{}, maxConns)}
}

// exchange sends commands in one pipeline, and sets their replies and errors. It waits until ctx ends for one of the
// connections. It may last longer than ctx when it makes a new connection, which later exchanges then find.
func (n *node) exchange(ctx context.Context, commands ...*command) {
	err := ctx.Err()
	select {
	case n.inUse <- struct{}{}:
		defer func() { <-n.inUse }()
	case <-ctx.Done():
		err = ctx.Err()
	}
	var c *conn
	if err == nil {
		c, err = n.conn()
	}
	if err == nil && ctx.Err() != nil {
		n.keep(c)
		err = ctx.Err()
	}
	if err != nil {
		for _, command := range commands {
			command.at, command.err = nil, err
		}
		return
	}
	for _, command := range commands {
		command.at = n
	}
	if c.exchange(ctx, commands...) {
		n.keep(c)
		return
	}
	c.close()
	n.closeIdle(0) // a server that restarted has closed them, too
}

// conn returns the connection that was used last, or a new one.
func (n *node) conn() (*conn, error) {
	n.mu.Lock()
	last := len(n.idle) - 1
	if last < 0 {
		n.mu.Unlock()
		return n.dial(n.address)
	}
	defer n.mu.Unlock()
	c := n.idle[last].conn
	n.idle = n.idle[:last]
	return c, nil
}

// keep keeps a connection for the next exchange.
func (n *node) keep(c *conn) {
	n.mu.Lock()
	closed := n.closed
	if !closed {
		n.idle = append(n.idle, idleConn{c, n.now()})
	}
	n.mu.Unlock()
	if closed {
		c.close()
	}
	n.closeIdle(idleTimeout)
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

// close closes the unused connections. The others are closed after their exchanges.
func (n *node) close() {
	n.mu.Lock()
	n.closed = true
	n.mu.Unlock()
	n.closeIdle(0)
}
