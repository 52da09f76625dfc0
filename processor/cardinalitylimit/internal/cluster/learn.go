package cluster

import (
	"context"
	"fmt"
	"net"
	"slices"

	"github.com/gomodule/redigo/redis"
)

// learn asks the endpoints in turn for the nodes, and in a cluster the known nodes, too. Each attempt begins with
// another one: those that hang use up the time, and one that is cut off from its cluster describes former nodes.
func (s *nodes) learn() (*topology, error) {
	ctx, cancel := context.WithTimeout(s.life, learnTimeout)
	defer cancel()
	ask, addresses := s.askSentinel, s.options.Endpoints
	if s.options.MasterName == "" {
		ask = s.askServer
		if t := s.topology.Load(); t != nil {
			for _, n := range t.all {
				addresses = append(slices.Clip(addresses), n.address)
			}
		}
	}
	var failure error
	for i := range addresses {
		one, cancel := context.WithTimeout(ctx, hangTimeout)
		at := (s.first + i) % len(addresses)
		t, err := ask(one, addresses[at])
		cancel()
		if err == nil {
			s.first = at + 1
			return t, nil
		}
		if failure == nil {
			failure = err
		}
		if ctx.Err() != nil {
			break
		}
	}
	s.first++
	return nil, failure
}

// askServer asks a server for the slots of its cluster. If the only endpoint is in no cluster, it is the only node.
func (s *nodes) askServer(ctx context.Context, address string) (*topology, error) {
	n, err := s.node(address)
	if err != nil {
		return nil, err
	}
	c := command{name: "CLUSTER", args: []any{"SLOTS"}}
	n.exchange(ctx, &c)
	if len(s.options.Endpoints) == 1 && address == s.options.Endpoints[0] && c.at == n && refusedWith(c.err, "ERR", "NOPERM") {
		return &topology{all: []*node{n}}, nil
	}
	ranges, err := redis.Values(c.reply, c.err)
	if err != nil {
		return nil, err
	}
	host, _, _ := net.SplitHostPort(address)
	t := &topology{slots: new(slots)}
	for _, r := range ranges {
		if err := s.addRange(t, host, r); err != nil {
			return nil, err
		}
	}
	if len(t.all) == 0 {
		return nil, errNoNode
	}
	return t, nil
}

// addRange adds a range of slots to a topology. Host is the host of a node that does not know its own address.
func (s *nodes) addRange(t *topology, host string, r any) error {
	var first, last, port int
	var name string
	var primary []any
	parts, err := redis.Values(r, nil)
	if err == nil {
		_, err = redis.Scan(parts, &first, &last, &primary)
	}
	if err == nil {
		_, err = redis.Scan(primary, &name, &port)
	}
	if err == nil && (first < 0 || last >= slotCount) {
		err = fmt.Errorf("slots %d to %d, outside 0 to %d", first, last, slotCount-1)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errProtocol, err)
	}
	if name == "" {
		name = host
	}
	n, err := s.node(net.JoinHostPort(name, fmt.Sprint(port)))
	if err != nil {
		return err
	}
	if !slices.Contains(t.all, n) {
		t.all = append(t.all, n)
	}
	for slot := first; slot <= last; slot++ {
		t.slots[slot] = n
	}
	return nil
}

// askSentinel asks a sentinel for the address of the primary, and then the server itself for its role, because the sentinel may
// not know yet that it has become a replica.
func (s *nodes) askSentinel(ctx context.Context, address string) (*topology, error) {
	sentinel, err := dial(ctx, s.life, address, s.options.TLS)
	if err != nil {
		return nil, err
	}
	defer sentinel.close()
	c := command{name: "SENTINEL", args: []any{"get-master-addr-by-name", s.options.MasterName}}
	sentinel.exchange(ctx, &c)
	named, err := redis.Strings(c.reply, c.err)
	if err != nil {
		return nil, fmt.Errorf("sentinel: %w", err)
	}
	if len(named) != 2 {
		return nil, fmt.Errorf("%w: the sentinel names no server", errProtocol)
	}
	n, err := s.node(net.JoinHostPort(named[0], named[1]))
	if err != nil {
		return nil, err
	}
	asked := command{name: "ROLE"}
	n.exchange(ctx, &asked)
	parts, err := redis.Values(asked.reply, asked.err)
	if err != nil {
		return nil, err
	}
	var role string
	if _, err := redis.Scan(parts, &role); err != nil || role != "master" {
		return nil, errNotPrimary
	}
	return &topology{all: []*node{n}}, nil
}
