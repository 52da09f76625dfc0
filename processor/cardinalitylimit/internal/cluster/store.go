package cluster

import (
	"context"
	"crypto/sha1" //nolint:gosec // the name of a script
	"crypto/tls"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gomodule/redigo/redis"
)

//go:embed places.lua
var placesScript string

//go:embed announce.lua
var announceScript string

// StoreOptions are the address and the credentials of the store.
type StoreOptions struct {
	// Endpoints contains one server, or some nodes of a cluster.
	Endpoints []string
	// MasterName is the name of the server at the sentinels. If it is not empty, Endpoints contains sentinels.
	MasterName         string
	Username, Password string
	Database           int
	TLS                *tls.Config
	ClientName         string
}

// store runs the scripts. Safe for concurrent use.
type store struct {
	nodes
	places   script
	announce script
}

type script struct{ text, name string }

func newScript(text string) script {
	sum := sha1.Sum([]byte(text)) //nolint:gosec // the store names scripts by it
	return script{text, hex.EncodeToString(sum[:])}
}

// command returns a run of the script. The keys are on one node.
func (s *script) command(keys []string, args ...string) *command {
	all := make([]any, 0, 2+len(keys)+len(args))
	all = append(all, s.name, len(keys))
	for _, key := range keys {
		all = append(all, key)
	}
	for _, arg := range args {
		all = append(all, arg)
	}
	return &command{key: keys[0], name: "EVALSHA", args: all, script: s.text}
}

// newStore returns a store that is not connected. It must be closed. The end of ctx closes its connections, too.
func newStore(ctx context.Context, o StoreOptions) *store {
	s := &store{places: newScript(placesScript), announce: newScript(announceScript)}
	s.options, s.byAddress = o, make(map[string]*node)
	s.life, s.end = context.WithCancel(ctx)
	return s
}

// call is one run of places.lua for one key.
type call struct {
	op    operation
	key   *key
	terms terms
	known version
	items []string

	reply reply
	err   error
}

type operation string

const (
	opAsk     operation = "ask"
	opPromote operation = "promote"
	opOffer   operation = "offer"
	opReturn  operation = "return"
	opFetch   operation = "fetch"
)

// terms are the numbers of a limit that a call passes to the script: places of the key, and members from which a stranger
// must have been active before.
type terms struct {
	max, contested int
}

// version orders the states of a key in the store. The zero value is older than every state.
type version struct{ incarnation, number int64 }

// reply is the answer to a call.
type reply struct {
	codes   string // one character per item
	members int    // number of members of the key
	now     time.Time
	version version
	lost    bool     // the store has lost writes
	all     []uint64 // members, if they were fetched
}

// common contains the arguments that all calls of a gateway share.
type common struct {
	lengthMillis int64 // of a generation
	generations  int   // remembered
	waits        int   // number of generations that strangers wait after the store lost writes
	agreed       bool  // all gateways have the same configuration
}

// run makes the calls in one pipeline and sets their replies and errors. It returns the first error that is not about a
// single key.
func (s *store) run(ctx context.Context, c common, calls []call) error {
	commands := make([]*command, len(calls))
	for i := range calls {
		commands[i] = s.places.command(calls[i].key.names(c.generations+1), calls[i].args(&c)...)
	}
	s.do(ctx, commands...)
	for i, command := range commands {
		calls[i].reply, calls[i].err = decode(&calls[i], command.reply, command.err)
	}
	for i := range calls {
		if err := calls[i].err; err != nil && !isOfKey(err) {
			return err
		}
	}
	return nil
}

// isOfKey reports whether an error is about a single key: the store contains another type under one of the key's names.
func isOfKey(err error) bool {
	text, _ := refusal(err)
	return strings.Contains(text, "WRONGTYPE")
}

// args returns the arguments of the script.
func (c *call) args(common *common) []string {
	agreed := "0"
	if common.agreed {
		agreed = "1"
	}
	args := make([]string, 0, 9+len(c.items))
	args = append(args, string(c.op), strconv.FormatInt(common.lengthMillis, 10), strconv.Itoa(common.generations),
		strconv.Itoa(c.terms.max), strconv.Itoa(c.terms.contested), agreed,
		strconv.FormatInt(c.known.incarnation, 10), strconv.FormatInt(c.known.number, 10), strconv.Itoa(common.waits))
	return append(args, c.items...)
}

// errProtocol means that an answer does not have the form that its command requires, or exceeds a bound.
var errProtocol = errors.New("unexpected answer")

func decode(c *call, answer any, failure error) (out reply, err error) {
	if failure != nil {
		return out, failure
	}
	parts, err := redis.Values(answer, nil)
	if err != nil {
		return out, fmt.Errorf("%w: %w", errProtocol, err)
	}
	const fields = 7
	if len(parts) != fields {
		return out, fmt.Errorf("%w: %d fields", errProtocol, len(parts))
	}
	if out.codes, err = redis.String(parts[0], nil); err != nil {
		return out, fmt.Errorf("%w: %w", errProtocol, err)
	}
	var numbers [fields - 2]int64
	for i := range numbers {
		if numbers[i], err = redis.Int64(parts[1+i], nil); err != nil {
			return out, fmt.Errorf("%w: %w", errProtocol, err)
		}
	}
	out.members, out.now = int(numbers[0]), time.UnixMilli(numbers[1])
	out.version, out.lost = version{numbers[2], numbers[3]}, numbers[4] != 0
	all, err := redis.Int64s(parts[6], nil)
	if err != nil {
		return out, fmt.Errorf("%w: %w", errProtocol, err)
	}
	for _, n := range all {
		out.all = append(out.all, uint64(n)) //nolint:gosec // bits
	}
	if out.members < 0 || len(out.codes) != c.count() {
		return out, fmt.Errorf("%w: %d answers to %d questions", errProtocol, len(out.codes), c.count())
	}
	return out, nil
}

// count is the number of items.
func (c *call) count() int {
	switch c.op {
	case opAsk:
		return len(c.items) / 2
	case opFetch:
		return 0
	default:
		return len(c.items)
	}
}

// announcement is the answer to a heartbeat.
type announcement struct {
	gateways, configurations int
	now                      time.Time
	known                    bool // the store knew this gateway before
}

// announceGateway announces a gateway for the duration life, or withdraws its announcement if it leaves.
func (s *store) announceGateway(ctx context.Context, prefix, gateway, configuration string, life time.Duration, leaves bool) (a announcement, err error) {
	leave := "0"
	if leaves {
		leave = "1"
	}
	names := []string{prefix + ":{gateways}:g", prefix + ":{gateways}:c"}
	c := s.announce.command(names, gateway, configuration, strconv.FormatInt(life.Milliseconds(), 10), leave)
	s.do(ctx, c)
	if c.err != nil {
		return a, c.err
	}
	n, err := redis.Int64s(c.reply, nil)
	if err != nil {
		return a, fmt.Errorf("%w: %w", errProtocol, err)
	}
	const fields = 4
	if len(n) != fields {
		return a, fmt.Errorf("%w: %d fields", errProtocol, len(n))
	}
	return announcement{int(n[0]), int(n[1]), time.UnixMilli(n[2]), n[3] != 0}, nil
}

// evictionPolicy returns the policy of a server that may evict keys, or "".
func (s *store) evictionPolicy(ctx context.Context) (policy string, err error) {
	t := s.topology.Load()
	if t == nil {
		return "", errNotConnected
	}
	for _, n := range t.all {
		c := command{name: "INFO", args: []any{"memory"}}
		n.exchange(ctx, &c)
		text, err := redis.String(c.reply, c.err)
		if err != nil {
			return "", err
		}
		limit, policy := "", ""
		for line := range strings.Lines(text) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
			switch name {
			case "maxmemory":
				limit = value
			case "maxmemory_policy":
				policy = value
			}
		}
		if limit != "0" && policy != "" && policy != "noeviction" {
			return policy, nil
		}
	}
	return "", nil
}
