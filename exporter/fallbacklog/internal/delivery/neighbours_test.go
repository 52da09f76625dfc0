package delivery

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/answer"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/breaker"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/record"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
)

// answeredWith is an HTTP status in the error of an exporter.
func answeredWith(code int) error {
	return &answer.Error{Err: errors.New("refused"), Refusals: []answer.Refusal{{HTTP: code}}}
}

// simulation is a gateway whose downstream refuses some batches for ever, and fails any request at random or in an outage.
//
// A random number depends on the seed and on the name of the draw, and each request has a duration of its own, so hardly two
// events have the same time. Every run is therefore the same, in whatever order the scheduler runs goroutines.
type simulation struct {
	*stand
	seed uint64
	// answer decides on a request before its batches do, given a random percentage. nil lets the batches decide.
	answer func(percent int) error

	mu       sync.Mutex
	sent     map[string]time.Time // of each batch
	arrived  map[string]time.Time // time of the first arrival
	attempts map[string]int       // of each request
}

// seeds is the number of seeds. 40 and more show the worst case and need some minutes.
var seeds = flag.Uint64("seeds", 2, "runs of TestBadBatchesDelayNoOthers for each order and rate")

// badCodes are the statuses of bad batches, one after the other.
var badCodes = []int{401, 403, 404, 500, 413}

func newSimulation(t *testing.T, seed uint64, strict bool) *simulation {
	t.Helper()
	m := &simulation{seed: seed, sent: map[string]time.Time{}, arrived: map[string]time.Time{}, attempts: map[string]int{}}
	dir := t.TempDir()
	var log *segment.Log
	m.stand = newStandOver(t, m.send, func(durable *segment.Log) Log {
		require.NoError(t, durable.Close())
		var err error
		log, err = segment.Open(segment.Options{
			Dir: dir, Kind: segment.Kind{Extension: ".jsonl", Format: record.Lines{}}, Sync: segment.SyncNone,
			Budget: &segment.Budget{Max: 1 << 26}, MaxSegmentBytes: 1 << 20,
		})
		require.NoError(t, err)
		return NewLog(log)
	}, func(set *standSettings) {
		set.Strict, set.Concurrency, set.CoalesceBytes, set.MaxAttempts = strict, 2, 1<<15, 5
		set.Timeout, set.MaxInterval, set.threshold = 5*time.Second, 30*time.Second, [2]int{5, 2}
	})
	m.log, m.dir = log, dir
	return m
}

// below returns a number from 0 to n-1 for a named draw, the same in every run.
func (m *simulation) below(n int, seeds ...any) int {
	h := fnv.New64a()
	fmt.Fprintln(h, seeds...)
	return rand.New(rand.NewPCG(m.seed, h.Sum64())).IntN(n)
}

// onePercent chooses one batch in a hundred.
func (m *simulation) onePercent(n int) bool { return m.below(100, "batch", n) == 0 }

// attempt counts the attempts of a request.
func (m *simulation) attempt(name string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.attempts[name]++
	return m.attempts[name]
}

func (m *simulation) send(_ context.Context, name string) error {
	attempt := m.attempt(name)
	time.Sleep(5*time.Millisecond + time.Duration(m.below(1e6, "time", name, attempt)))
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.answer != nil {
		if err := m.answer(m.below(100, "answer", name, attempt)); err != nil {
			return err
		}
	}
	for batch := range strings.FieldsSeq(name) {
		var code int
		if _, bad, ok := strings.Cut(batch, "-bad"); ok {
			if _, err := fmt.Sscanf(bad, "%d", &code); err == nil {
				return answeredWith(code)
			}
		}
	}
	for batch := range strings.FieldsSeq(name) {
		batch, _, _ = strings.Cut(batch, "[")
		if _, again := m.arrived[batch]; !again {
			m.arrived[batch] = time.Now()
		}
	}
	return nil
}

func (m *simulation) set(answer func(percent int) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.answer = answer
}

// run sends batches at a rate. bad reports which batches are bad.
func (m *simulation) run(t *testing.T, perSecond int, d time.Duration, bad func(n int) bool) {
	t.Helper()
	var callers sync.WaitGroup
	for range int(d.Seconds()) * perSecond {
		m.mu.Lock()
		n := len(m.sent)
		name := fmt.Sprint("batch", n)
		if bad(n) {
			name += fmt.Sprint("-bad", badCodes[n%len(badCodes)])
		}
		m.sent[name] = time.Now()
		m.mu.Unlock()
		callers.Go(func() {
			assert.NoError(t, m.Consume(context.Background(), m.batch(name)))
		})
		time.Sleep(time.Second / time.Duration(perSecond))
	}
	callers.Wait()
}

// deadNames returns the names of the batches in the dead letter.
func (m *simulation) deadNames(t *testing.T) (names []string) {
	t.Helper()
	for _, name := range m.namesIn(t, m.dead) {
		name, _, _ = strings.Cut(name, "[")
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// One batch in a hundred is refused for ever, each with another status; two of them are neighbours and twenty are consecutive.
// One request in a hundred fails at random. The downstream is away for a minute. Nothing is lost, the dead letter contains
// exactly the bad batches, and no good batch arrives more than 20 s after the breaker has closed.
func TestBadBatchesDelayNoOthers(t *testing.T) {
	for _, strict := range []bool{false, true} {
		for _, perSecond := range []int{2, 20} {
			for seed := range *seeds {
				t.Run(fmt.Sprintf("strict=%v, %d a second, seed %d", strict, perSecond, seed+1), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { withBadBatches(t, seed+1, strict, perSecond) })
				})
			}
		}
	}
}

// withBadBatches returns a gateway under the conditions of TestBadBatchesDelayNoOthers.
func withBadBatches(t *testing.T, seed uint64, strict bool, perSecond int) {
	t.Helper()
	m := newSimulation(t, seed, strict)
	run := 120 * perSecond // it begins in the outage
	bad := func(n int) bool {
		return m.onePercent(n) || n == 40 || n == 41 || n >= run && n < run+20 || n >= 4*run && n < 4*run+20
	}
	random := func(percent int) error {
		if percent < 1 {
			return answeredWith(500)
		}
		return nil
	}
	m.set(random)
	m.run(t, perSecond, 100*time.Second, bad)
	m.set(func(int) error { return errAway })
	m.run(t, perSecond, time.Minute, bad)
	m.set(random)
	var closed time.Time
	for range 12000 {
		m.run(t, perSecond, time.Second, bad)
		if m.group.breaker.State() == breaker.Closed && closed.IsZero() {
			closed = time.Now()
		}
		if !closed.IsZero() && time.Since(closed) > 10*time.Minute {
			break
		}
	}
	m.run(t, 1, 3*time.Minute, func(int) bool { return false })
	synctest.Wait()
	m.check(t, closed)
	m.stop(t)
}

func (m *simulation) check(t *testing.T, closed time.Time) {
	t.Helper()
	var wantDead []string
	var worst time.Duration
	for name, sent := range m.sent {
		if strings.Contains(name, "-bad") {
			wantDead = append(wantDead, name)
			continue
		}
		arrived, ok := m.arrived[name]
		assert.True(t, ok, "%s is lost", name)
		if sent.Before(closed) {
			sent = closed
		}
		if behind := arrived.Sub(sent); behind > worst {
			worst = behind
			if testing.Verbose() {
				t.Logf("%s was sent %v after the breaker's closing and is %v behind", name, sent.Sub(closed), behind)
			}
		}
	}
	slices.Sort(wantDead)
	assert.Equal(t, wantDead, m.deadNames(t))
	assert.LessOrEqual(t, worst, 20*time.Second)
	assert.True(t, m.log.Empty())
	t.Logf("%d batches, %d dead, %v behind at most, %d late", len(m.sent), len(wantDead), worst, m.sums.sum(&m.sums.late)/2)
}

// When 30 % of requests fail for five minutes and 1 % of batches are bad, strict order sends no good batch to the dead letter,
// and few batches are late.
func TestStrictUnderRandomFailures(t *testing.T) {
	for _, perSecond := range []int{2, 20} {
		t.Run(fmt.Sprint(perSecond, " a second"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newSimulation(t, 2, true)
				m.set(func(percent int) error {
					if percent < 30 {
						return answeredWith(500)
					}
					return nil
				})
				m.run(t, perSecond, 5*time.Minute, m.onePercent)
				m.set(nil)
				m.run(t, 1, 10*time.Minute, func(int) bool { return false })
				synctest.Wait()
				m.check(t, time.Now())
				assert.LessOrEqual(t, m.sums.sum(&m.sums.late), 2*m.sums.sum(&m.sums.deadLettered), "about one for each bad batch: probes fail too")
				m.stop(t)
			})
		})
	}
}

// When a token rolls over the replicas, half of the requests are refused for a minute. No good batch goes to the dead letter.
func TestRollingTokenChange(t *testing.T) {
	for _, strict := range []bool{false, true} {
		for _, code := range []int{401, 403} {
			t.Run(fmt.Sprint("strict=", strict, " ", code), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					m := newSimulation(t, 3, strict)
					good := func(int) bool { return false }
					m.run(t, 10, 20*time.Second, good)
					m.set(func(percent int) error {
						if percent < 50 {
							return answeredWith(code)
						}
						return nil
					})
					m.run(t, 10, time.Minute, good)
					m.set(nil)
					m.run(t, 10, 3*time.Minute, good)
					synctest.Wait()
					m.check(t, time.Now())
					m.stop(t)
				})
			})
		}
	}
}
