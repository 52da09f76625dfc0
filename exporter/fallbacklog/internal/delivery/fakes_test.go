package delivery

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/breaker"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/failure"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/record"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	errAway = errors.New("away")
	// errPartly means that the downstream accepts the batch except one item.
	errPartly = errors.New("partly")
)

// testBatch is a batch whose payload is its name. The test decides the answer to it.
type testBatch struct {
	name   string
	items  int
	answer func(ctx context.Context, name string) error
}

func (b *testBatch) Items() int                    { return b.items }
func (b *testBatch) Payload() ([]byte, error)      { return fmt.Appendf(nil, `{"name":%q}`, b.name), nil }
func (b *testBatch) Metadata() map[string][]string { return nil }

// Part returns a batch of the same name with fewer items.
func (b *testBatch) Part(from, to int) Batch {
	return &testBatch{name: fmt.Sprintf("%s[%d:%d]", b.name, from, to), items: to - from, answer: b.answer}
}

// itemsOf returns the number of items of a request of batches of two, or of a part of one.
func itemsOf(name string) (n int) {
	for _, batch := range strings.Fields(name) {
		var from, to int
		if _, part, ok := strings.Cut(batch, "["); ok {
			if _, err := fmt.Sscanf(part, "%d:%d]", &from, &to); err == nil {
				n += to - from
				continue
			}
		}
		n += 2
	}
	return n
}

func (b *testBatch) Send(ctx context.Context) (int, error) {
	err := b.answer(ctx, b.name)
	if errors.Is(err, errPartly) {
		return 1, nil
	}
	return 0, err
}

// downstream is a downstream that a test turns off and on. It keeps the names of the requests that it accepts.
type downstream struct {
	away     atomic.Bool
	accepted guarded[string]
}

func newDownstreamAway() *downstream {
	d := &downstream{}
	d.away.Store(true)
	return d
}

func (d *downstream) answer(_ context.Context, name string) error {
	if d.away.Load() {
		return errAway
	}
	d.accepted.add(name)
	return nil
}

// ledger is an observer that sums up the items.
type ledger struct {
	mu sync.Mutex

	received, direct, replayed, logged, deadLettered, dropped, rejected, expired, late int

	deadLetterCauses guarded[error]
}

func (o *ledger) add(n *int, items int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	*n += items
}

func (o *ledger) sum(counts ...*int) (total int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, n := range counts {
		total += *n
	}
	return total
}

func (o *ledger) Received(items int)            { o.add(&o.received, items) }
func (o *ledger) DeliveredDirect(items int)     { o.add(&o.direct, items) }
func (o *ledger) DeliveredReplayed(items int)   { o.add(&o.replayed, items) }
func (o *ledger) Logged(_ Reason, items, _ int) { o.add(&o.logged, items) }

func (o *ledger) DeadLettered(_ Reason, n int, cause error) {
	o.add(&o.deadLettered, n)
	o.deadLetterCauses.add(cause)
}
func (o *ledger) causes() []error                  { return o.deadLetterCauses.all() }
func (o *ledger) Dropped(_ Drop, items int)        { o.add(&o.dropped, items) }
func (o *ledger) Late(items int)                   { o.add(&o.late, items) }
func (o *ledger) Rejected(items int)               { o.add(&o.rejected, items) }
func (o *ledger) Expired(items int)                { o.add(&o.expired, items) }
func (*ledger) ReplayFailed()                      {}
func (*ledger) Failed(failure.Class)               {}
func (*ledger) Exported(time.Duration)             {}
func (*ledger) Warn(failure.Class, string, error)  {}
func (*ledger) Error(failure.Class, string, error) {}

// guarded is a list that the lane writes and the test reads.
type guarded[T any] struct {
	mu   sync.Mutex
	list []T
}

func (g *guarded[T]) add(v T) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.list = append(g.list, v)
}

func (g *guarded[T]) all() []T {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.list)
}

// standSettings configure a stand's group and its lanes.
type standSettings struct {
	GroupOptions
	Strict    bool
	threshold [2]int // failures and successes of the breaker
	deadMax   int64  // bytes that the dead letter may use
}

// stand is a lane with a log in a directory of the test, its downstream, and what it reports.
type stand struct {
	*Lane
	sums     *ledger
	log      *segment.Log
	dir      string // of the log
	dead     string // directory of the dead letter
	strict   bool
	deadMax  int64
	decoded  guarded[int]   // number of records of each decoded request
	outages  guarded[bool]  // each change: true for a begin, false for an end
	troubles guarded[error] // each change of the log's condition
	answer   func(ctx context.Context, name string) error
}

func newStand(t *testing.T, answer func(context.Context, string) error, change ...func(*standSettings)) *stand {
	t.Helper()
	return newStandIn(t, t.TempDir(), answer, change...)
}

// newStandIn is newStand over the log that is in a directory.
func newStandIn(t *testing.T, dir string, answer func(context.Context, string) error, change ...func(*standSettings)) *stand {
	t.Helper()
	return newGroupStand(t, dir, answer, nil, change...)
}

// newStandOver is newStand with a wrapper around the log's roles.
func newStandOver(t *testing.T, answer func(context.Context, string) error, over func(*segment.Log) Log, change ...func(*standSettings)) *stand {
	t.Helper()
	return newGroupStand(t, t.TempDir(), answer, over, change...)
}

func newGroupStand(t *testing.T, dir string, answer func(context.Context, string) error, over func(*segment.Log) Log, change ...func(*standSettings)) *stand {
	t.Helper()
	s := &stand{sums: &ledger{}, answer: answer, dir: dir}
	set := standSettings{threshold: [2]int{3, 1}, deadMax: 1 << 20, GroupOptions: GroupOptions{
		Exports: true, Timeout: time.Second, Budget: 5 * time.Second, MaxAttempts: 2, InitialInterval: 100 * time.Millisecond,
		Multiplier: 2, MaxInterval: time.Second, Replay: true, Concurrency: 1, MaxOpenInterval: time.Minute,
		Permanent:   func(error) bool { return false },
		Now:         time.Now,
		OutageBegan: func(error) { s.outages.add(true) },
		OutageEnded: func() { s.outages.add(false) },

		Troubled: func(c Change) { s.troubles.add(c.Err) },
	}}
	for _, c := range change {
		c(&set)
	}
	b := breaker.New(breaker.Options{
		FailureThreshold: set.threshold[0], SuccessThreshold: set.threshold[1], OpenInterval: 10 * time.Second, MaxOpenInterval: set.MaxOpenInterval, Now: set.Now,
	})
	s.strict, s.deadMax = set.Strict, set.deadMax
	s.open(t, NewGroup(set.GroupOptions, b), over)
	return s
}

// another returns a second signal of the stand's group.
func (s *stand) another(t *testing.T, answer func(context.Context, string) error, over func(*segment.Log) Log) *stand {
	t.Helper()
	o := &stand{sums: &ledger{}, answer: answer, dir: t.TempDir(), strict: s.strict, deadMax: s.deadMax}
	o.open(t, s.group, over)
	return o
}

// open gives a stand its logs and its lane.
func (s *stand) open(t *testing.T, g *Group, over func(*segment.Log) Log) {
	t.Helper()
	logIn := func(dir string, maxBytes int64) *segment.Log {
		l, err := segment.Open(segment.Options{
			Dir: dir, Kind: segment.Kind{Extension: ".jsonl", Format: record.Lines{}}, Budget: &segment.Budget{Max: maxBytes}, MaxSegmentBytes: 1 << 16,
		})
		require.NoError(t, err)
		return l
	}
	s.log = logIn(s.dir, 1<<20)
	log := NewLog(s.log)
	if over != nil {
		log = over(s.log)
	}
	s.dead = t.TempDir()
	s.Lane = g.NewLane(LaneOptions{
		Signal: "logs", Codec: record.Lines{}, Observer: Observer{s.sums, s.sums, s.sums, s.sums}, Log: log, DeadLetter: logIn(s.dead, s.deadMax), Decode: s.decode, Strict: s.strict,
	})
}

func (s *stand) batch(name string) Batch { return &testBatch{name: name, items: 2, answer: s.answer} }

// decode joins the names of several records by spaces.
func (s *stand) decode(lines [][]byte) (Batch, error) {
	s.decoded.add(len(lines))
	names, items := make([]string, len(lines)), 0
	for i, line := range lines {
		m, err := record.Reader{}.Parse(line)
		if err != nil {
			return nil, err
		}
		if _, err := fmt.Sscanf(string(line), `{"name":%q,`, &names[i]); err != nil {
			return nil, err
		}
		items += m.Items
	}
	return &testBatch{name: strings.Join(names, " "), items: items, answer: s.answer}, nil
}

// logged returns the names of the batches in a lane's log on disk, in their order.
func (s *stand) logged(t *testing.T) (names []string) {
	t.Helper()
	return s.namesIn(t, s.dir)
}

// namesIn returns the names of the batches in a log on disk, in their order.
func (s *stand) namesIn(t *testing.T, dir string) (names []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	require.NoError(t, err)
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		for line := range strings.Lines(string(data)) {
			b, err := s.decode([][]byte{[]byte(strings.TrimSuffix(line, "\n"))})
			require.NoError(t, err)
			names = append(names, b.(*testBatch).name)
		}
	}
	return names
}

func (s *stand) stop(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Second)
	defer cancel()
	require.NoError(t, s.Shutdown(ctx))
}

// dice are the random numbers of tests and of their downstreams. They are safe for concurrent use.
type dice struct {
	mu  sync.Mutex
	rnd *rand.Rand
}

func newDice(seed, stream uint64) *dice { return &dice{rnd: rand.New(rand.NewPCG(seed, stream))} }

// below returns a random number from 0 to n-1.
func (d *dice) below(n int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rnd.IntN(n)
}
