package cluster

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/gomodule/redigo/redis"
)

// command is a command and its answer.
type command struct {
	key  string // decides which node of a cluster is asked
	name string
	args []any
	// script is the text of the script that the command runs by its name. It is empty for other commands.
	script string

	at    *node // the node to which the command was sent; nil if no connection could be made
	reply any
	err   error
}

// refusal returns the text of an error with which the server answered. It returns false for any other error.
func refusal(err error) (text string, ok bool) {
	var e redis.Error
	ok = errors.As(err, &e)
	return string(e), ok
}

// refusedWith reports whether an error is an answer that begins with one of the words.
func refusedWith(err error, words ...string) bool {
	text, _ := refusal(err)
	first, _, _ := strings.Cut(text, " ")
	return first != "" && slices.Contains(words, first)
}

// conn is a connection to a server. It has one user at a time.
type conn struct {
	redis.Conn
	guard        *guarded
	stopWatching func() bool // stops waiting for the end of the store's life, which closes the connection
}

// dial makes a connection that lasts no longer than the context life.
func dial(ctx, life context.Context, address string, config *tls.Config) (*conn, error) {
	var dialer interface {
		DialContext(ctx context.Context, network, address string) (net.Conn, error)
	} = &net.Dialer{}
	if config != nil {
		dialer = &tls.Dialer{Config: config}
	}
	raw, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	g := newGuarded(raw)
	return &conn{redis.NewConn(g, 0, 0), g, context.AfterFunc(life, func() { _ = g.Close() })}, nil
}

func (c *conn) close() {
	c.stopWatching()
	_ = c.Close()
}

// exchange sends commands in one pipeline, and sets their replies and errors. It reports whether the connection can be used
// again. The end of ctx closes the connection, because the remaining answers could still arrive.
func (c *conn) exchange(ctx context.Context, commands ...*command) (usable bool) {
	keep := context.AfterFunc(ctx, func() { _ = c.guard.Close() })
	err := c.send(commands)
	for _, command := range commands {
		if err == nil {
			command.reply, command.err = c.Receive()
			err = c.Err() // is nil after an answer that is an error
		}
		if err != nil {
			command.err = c.cause(ctx, err)
		}
	}
	return keep() && err == nil && !c.guard.unasked()
}

func (c *conn) send(commands []*command) error {
	for _, command := range commands {
		if err := c.Send(command.name, command.args...); err != nil {
			return err
		}
	}
	if err := c.Flush(); err != nil {
		return err
	}
	return c.guard.Flush()
}

// cause returns why the connection failed with an error.
func (c *conn) cause(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case c.guard.err == nil: // redigo could not decode an answer
		return fmt.Errorf("%w: %w", errProtocol, err)
	default:
		return err
	}
}
