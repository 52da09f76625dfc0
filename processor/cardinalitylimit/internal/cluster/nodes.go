package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gomodule/redigo/redis"
)

const (
	// dialTimeout bounds a connection attempt, which ends when the server has accepted the password.
	dialTimeout = time.Second
	// hangTimeout bounds an exchange of the background.
	hangTimeout = time.Second
	// learnTimeout bounds how long the endpoints are asked for the nodes.
	learnTimeout = 3 * time.Second
	// relearnPause is the minimum time between two attempts to learn the nodes again.
	relearnPause = time.Second
	// maxRedirections is how many redirections of a command are followed.
	maxRedirections = 3
	// asking precedes a command that another node has redirected for this once.
	asking = "ASKING"
	// maxNodes bounds the number of known servers.
	maxNodes = 1000
)

// nodes are the servers of the store: one, or the primaries of a cluster. Safe for concurrent use.
//
// The background learns them. A batch that finds that they have changed follows a cluster's redirections and sets stale.
type nodes struct {
	options  StoreOptions
	life     context.Context // ends with close
	end      context.CancelFunc
	topology atomic.Pointer[topology] // nil before the nodes are known
	stale    atomic.Bool              // the nodes may have changed
	// Only connect uses the two fields below.
	learnedAt time.Time // last attempt
	first     int       // index of the address to ask first, modulo their number

	mu        sync.Mutex // guards byAddress
	byAddress map[string]*node
}

// topology contains the primaries, and the slots of a cluster. It does not change.
type topology struct {
	all   []*node
	slots *slots // nil without a cluster
}

// slots contains the node of each slot, or nil.
type slots [slotCount]*node

// owner returns the node of a key. It returns nil if no node has its slot.
func (t *topology) owner(key string) *node {
	if t.slots == nil {
		return t.all[0]
	}
	return t.slots[slotOf(key)]
}

var (
	// errNotConnected means that the nodes are not known yet, or that the store is closed.
	errNotConnected = errors.New("not connected")
	// errNoNode means that no node of the cluster has the slot of the key, or that the cluster lists no node.
	errNoNode = errors.New("no node of the cluster has the slot")
	// errNotPrimary means that a sentinel names a server that has become a replica.
	errNotPrimary = errors.New("the server that the sentinel names is not a primary")
)

// severalNodes reports whether the store is a cluster, whose keys may be on several nodes.
func (s *nodes) severalNodes() bool {
	t := s.topology.Load()
	return t != nil && t.slots != nil
}

// connect learns the nodes if they are unknown or may have changed. It must have one caller at a time.
func (s *nodes) connect(now time.Time) error {
	known := s.topology.Load()
	if known != nil && (!s.stale.Load() || now.Sub(s.learnedAt) < relearnPause) {
		return nil
	}
	s.learnedAt = now
	s.stale.Store(false)
	t, err := s.learn()
	if err != nil {
		s.stale.Store(true)
		if known != nil { // its nodes may still answer
			s.keepOnly(known.all)
			return nil
		}
		s.keepOnly(nil)
		return err
	}
	s.topology.Store(t)
	s.keepOnly(t.all)
	return nil
}

// close closes the connections. Exchanges in progress fail.
func (s *nodes) close() {
	s.end()
	s.topology.Store(nil)
	s.keepOnly(nil)
}

// keepOnly closes the nodes that are not listed.
func (s *nodes) keepOnly(all []*node) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for address, n := range s.byAddress {
		if !slices.Contains(all, n) {
			delete(s.byAddress, address)
			n.close()
		}
	}
}

// node returns the server with an address.
func (s *nodes) node(address string) (*node, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.byAddress[address]; n != nil {
		return n, nil
	}
	if len(s.byAddress) == maxNodes {
		return nil, fmt.Errorf("%w: more than %d nodes", errProtocol, maxNodes)
	}
	n := newNode(s.life, address, s.login)
	s.byAddress[address] = n
	return n, nil
}

// login makes a connection to a server of the store.
func (s *nodes) login(ctx context.Context, address string) (*conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	c, err := dial(ctx, s.life, address, s.options.TLS)
	if err != nil {
		return nil, err
	}
	var first []*command
	switch o := &s.options; {
	case o.Username != "":
		first = append(first, &command{name: "AUTH", args: []any{o.Username, o.Password}})
	case o.Password != "":
		first = append(first, &command{name: "AUTH", args: []any{o.Password}})
	}
	if name := s.options.ClientName; name != "" {
		first = append(first, &command{name: "CLIENT", args: []any{"SETNAME", name}})
	}
	if n := s.options.Database; n != 0 {
		first = append(first, &command{name: "SELECT", args: []any{n}})
	}
	usable := c.exchange(ctx, first...)
	for _, command := range first {
		if command.err != nil {
			c.close()
			return nil, withoutArguments(command.err)
		}
	}
	if !usable {
		c.close()
		return nil, cmp.Or(ctx.Err(), fmt.Errorf("%w: nothing was asked", errProtocol))
	}
	return c, nil
}

// withoutArguments shortens an answer that is an error to its first word. A server that does not know AUTH repeats the password.
func withoutArguments(err error) error {
	text, ok := refusal(err)
	if !ok {
		return err
	}
	word, _, _ := strings.Cut(text, " ")
	return redis.Error(word)
}

// do sends each command to the node of its key, and sets its reply and its error. A node gets its commands in one pipeline,
// and all nodes at the same time.
func (s *nodes) do(ctx context.Context, commands ...*command) {
	t := s.topology.Load()
	pipelines := make(map[*node][]*command, 1)
	for _, c := range commands {
		switch {
		case t == nil:
			c.err = errNotConnected
		case t.owner(c.key) == nil:
			c.err = errNoNode
		default:
			pipelines[t.owner(c.key)] = append(pipelines[t.owner(c.key)], c)
		}
	}
	for redirections := 0; len(pipelines) > 0; redirections++ {
		var wg sync.WaitGroup
		for n, pipeline := range pipelines {
			wg.Go(func() { n.run(ctx, pipeline) })
		}
		wg.Wait()
		clear(pipelines)
		if t.slots != nil && redirections < maxRedirections {
			s.redirect(pipelines, commands)
		}
	}
	if slices.ContainsFunc(commands, func(c *command) bool { return suggestsChange(c.err) }) {
		s.stale.Store(true)
	}
}

// redirect adds each redirected command to the pipeline of the node that the redirection names.
func (s *nodes) redirect(pipelines map[*node][]*command, commands []*command) {
	for _, c := range commands {
		address, once, ok := redirection(c)
		if !ok {
			continue
		}
		n, err := s.node(address)
		if err != nil {
			c.err = err
			continue
		}
		if once {
			pipelines[n] = append(pipelines[n], &command{name: asking})
		} else {
			s.stale.Store(true)
		}
		pipelines[n] = append(pipelines[n], c)
	}
}

// redirection returns the address to which a node redirects a command. once reports that only this command is redirected (ASK).
func redirection(c *command) (address string, once, ok bool) {
	text, _ := refusal(c.err)
	words := strings.Fields(text)
	if c.at == nil || len(words) != 3 || words[0] != "MOVED" && words[0] != "ASK" {
		return "", false, false
	}
	colon := strings.LastIndexByte(words[2], ':') // of the port; an address of IPv6 has no brackets here
	if colon < 0 {
		return "", false, false
	}
	host := words[2][:colon]
	if host == "" {
		host, _, _ = net.SplitHostPort(c.at.address)
	}
	return net.JoinHostPort(host, words[2][colon+1:]), words[0] == "ASK", true
}

// suggestsChange reports whether an error suggests that the nodes have changed. Servers refuse commands in many words when they are no
// primary any more, so every error does that is not about the command itself.
func suggestsChange(err error) bool {
	return err != nil && !isOfKey(err) && !refusedWith(err, "NOSCRIPT", "ASK", "OOM", "TRYAGAIN")
}
