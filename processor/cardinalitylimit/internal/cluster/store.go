package cluster

import (
	"context"
	"crypto/sha1" //nolint:gosec // the name of a script
	"crypto/tls"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/valkey-io/valkey-go"
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
	options      StoreOptions
	places       script
	announce     script
	dial         context.Context               // its end ends connection attempts
	client       atomic.Pointer[valkey.Client] // nil before the first connection
	severalNodes atomic.Bool                   // the keys are on several nodes
}

type script struct{ text, name string }

func newScript(text string) script {
	sum := sha1.Sum([]byte(text)) //nolint:gosec // the store names scripts by it
	return script{text, hex.EncodeToString(sum[:])}
}

func newStore(o StoreOptions) *store {
	return &store{options: o, places: newScript(placesScript), announce: newScript(announceScript)}
}

// errNotConnected means that no connection has been made yet.
var errNotConnected = errors.New("not connected")

const (
	// dialTimeout bounds a connection attempt of the background.
	dialTimeout = time.Second
	// hangTimeout bounds an exchange of the background.
	hangTimeout = time.Second
	// maxRedirections bounds how often the nodes of a cluster send one question on.
	maxRedirections = 3
	// bufferBytes is the size of each of the two buffers of a connection.
	bufferBytes = 64 << 10
)

// connect makes the client, unless one exists. It must have one caller at a time.
func (s *store) connect() error {
	if s.client.Load() != nil {
		return nil
	}
	o := &s.options
	client, err := valkey.NewClient(valkey.ClientOption{
		InitAddress: o.Endpoints, Username: o.Username, Password: o.Password, SelectDB: o.Database,
		TLSConfig: o.TLS, ClientName: o.ClientName, DisableCache: true,
		Sentinel: valkey.SentinelOption{MasterSet: o.MasterName, TLSConfig: o.TLS},
		Dialer:   net.Dialer{Timeout: dialTimeout}, ConnWriteTimeout: hangTimeout, DialCtxFn: s.dialConn,
		ReadBufferEachConn: bufferBytes, WriteBufferEachConn: bufferBytes,
		// A gateway has one connection, so that the store has a thousand clients with a thousand gateways.
		PipelineMultiplex: -1, BlockingPoolSize: 1, DisableRetry: true,
		// Without a bound, nodes that send each other's questions around keep the client busy until the time limit.
		ClusterOption: valkey.ClusterOption{MaxMovedRedirections: maxRedirections},
	})
	if err != nil {
		return err
	}
	s.client.Store(&client)
	s.severalNodes.Store(client.Mode() == valkey.ClientModeCluster)
	return nil
}

// dialConn makes a connection.
func (s *store) dialConn(_ context.Context, address string, d *net.Dialer, config *tls.Config) (net.Conn, error) {
	var conn net.Conn
	var err error
	if config != nil {
		conn, err = (&tls.Dialer{NetDialer: d, Config: config}).DialContext(s.dial, "tcp", address)
	} else {
		conn, err = d.DialContext(s.dial, "tcp", address)
	}
	if err != nil {
		return nil, err
	}
	return &guarded{Conn: conn, counts: s.options.MasterName == ""}, nil
}

// close closes the connections. Calls in progress fail.
func (s *store) close() {
	if c := s.client.Swap(nil); c != nil {
		(*c).Close()
	}
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
	client := s.client.Load()
	if client == nil {
		for i := range calls {
			calls[i].err = errNotConnected
		}
		return errNotConnected
	}
	commands := make([]valkey.Completed, len(calls))
	for i := range calls {
		commands[i] = s.command(*client, &c, &calls[i], false)
	}
	var again []int
	for i, r := range (*client).DoMulti(ctx, commands...) {
		if e, ok := valkey.IsValkeyErr(r.Error()); ok && e.IsNoScript() {
			again = append(again, i)
			continue
		}
		calls[i].reply, calls[i].err = decode(&calls[i], r)
	}
	if len(again) > 0 { // after a restart or a failover the store does not know the script
		commands = commands[:0]
		for _, i := range again {
			commands = append(commands, s.command(*client, &c, &calls[i], true))
		}
		for at, r := range (*client).DoMulti(ctx, commands...) {
			i := again[at]
			calls[i].reply, calls[i].err = decode(&calls[i], r)
		}
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
	e, ok := valkey.IsValkeyErr(err)
	return ok && strings.Contains(e.Error(), "WRONGTYPE")
}

func (s *store) command(client valkey.Client, c *common, call *call, whole bool) valkey.Completed {
	agreed := "0"
	if c.agreed {
		agreed = "1"
	}
	args := make([]string, 0, 9+len(call.items))
	args = append(args, string(call.op), strconv.FormatInt(c.lengthMillis, 10), strconv.Itoa(c.generations),
		strconv.Itoa(call.terms.max), strconv.Itoa(call.terms.contested), agreed,
		strconv.FormatInt(call.known.incarnation, 10), strconv.FormatInt(call.known.number, 10), strconv.Itoa(c.waits))
	args = append(args, call.items...)
	names := call.key.names(c.generations + 1)
	if whole {
		return client.B().Eval().Script(s.places.text).Numkeys(int64(len(names))).Key(names...).Arg(args...).Build()
	}
	return client.B().Evalsha().Sha1(s.places.name).Numkeys(int64(len(names))).Key(names...).Arg(args...).Build()
}

// errProtocol means that an answer has not the form of the script's replies.
var errProtocol = errors.New("unexpected answer")

func decode(c *call, r valkey.ValkeyResult) (out reply, err error) {
	parts, err := r.ToArray()
	if err != nil {
		return out, err
	}
	const fields = 7
	if len(parts) != fields {
		return out, fmt.Errorf("%w: %d fields", errProtocol, len(parts))
	}
	if out.codes, err = parts[0].ToString(); err != nil {
		return out, fmt.Errorf("%w: %w", errProtocol, err)
	}
	var numbers [fields - 2]int64
	for i := range numbers {
		if numbers[i], err = parts[1+i].AsInt64(); err != nil {
			return out, fmt.Errorf("%w: %w", errProtocol, err)
		}
	}
	out.members, out.now = int(numbers[0]), time.UnixMilli(numbers[1])
	out.version, out.lost = version{numbers[2], numbers[3]}, numbers[4] != 0
	all, err := parts[6].AsStrSlice()
	if err != nil {
		return out, fmt.Errorf("%w: %w", errProtocol, err)
	}
	for _, text := range all {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return out, fmt.Errorf("%w: %w", errProtocol, err)
		}
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
	client := s.client.Load()
	if client == nil {
		return a, errNotConnected
	}
	leave := "0"
	if leaves {
		leave = "1"
	}
	args := []string{gateway, configuration, strconv.FormatInt(life.Milliseconds(), 10), leave}
	names := []string{prefix + ":{gateways}:g", prefix + ":{gateways}:c"}
	b := (*client).B()
	r := (*client).Do(ctx, b.Evalsha().Sha1(s.announce.name).Numkeys(2).Key(names...).Arg(args...).Build())
	if e, ok := valkey.IsValkeyErr(r.Error()); ok && e.IsNoScript() {
		r = (*client).Do(ctx, b.Eval().Script(s.announce.text).Numkeys(2).Key(names...).Arg(args...).Build())
	}
	n, err := r.AsIntSlice()
	if err != nil {
		return a, err
	}
	const fields = 4
	if len(n) != fields {
		return a, fmt.Errorf("%w: %d fields", errProtocol, len(n))
	}
	return announcement{int(n[0]), int(n[1]), time.UnixMilli(n[2]), n[3] != 0}, nil
}

// evictionPolicy returns the policy of a server that may evict keys, or "".
func (s *store) evictionPolicy(ctx context.Context) (policy string, err error) {
	client := s.client.Load()
	if client == nil {
		return "", errNotConnected
	}
	for _, node := range (*client).Nodes() {
		text, err := node.Do(ctx, node.B().Info().Section("memory").Build()).ToString()
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
