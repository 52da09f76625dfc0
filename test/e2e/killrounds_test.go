package e2e

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// restless makes every state of an outage occur within a round.
const restless = `
exporters:
  fallbacklog:
    timeout: 200ms
    budget: 400ms
    circuit_breaker: {failure_threshold: 3, success_threshold: 1, open_interval: 50ms, max_open_interval: 200ms}
    log:
      format: ${env:LOG_FORMAT}
      compression: ${env:LOG_COMPRESSION}
      max_segment_size_mib: 1
`

// forms are the ways to write the log. Each start uses the next one, and reads the data of all former starts.
var forms = [][2]string{{"otlp_json", "none"}, {"otlp_proto", "none"}, {"otlp_proto", "zstd"}}

// killRoundsEach is the number of rounds after which the backend stays healthy until everything acknowledged has arrived.
const killRoundsEach = 10

// TestKillRounds: kill -9 at random moments under load, also during the start, with a backend that changes its state. Every
// acknowledged item arrives, and a crash leaves no damage.
func TestKillRounds(t *testing.T) { killRounds(t, killRoundsEach) }

// TestSoakKillRounds is the long form of TestKillRounds.
func TestSoakKillRounds(t *testing.T) {
	if os.Getenv("SOAK") == "" {
		t.Skip("TestKillRounds is the short form")
	}
	killRounds(t, 1000)
}

func killRounds(t *testing.T, rounds int) {
	g := newGateway(t, "quickstart.yaml", restless)
	f := startFlapping(t, g.backend)
	random := rand.New(rand.NewPCG(1, 2))
	var (
		acknowledged []string // since the last look
		all, next    int
		starting     int // rounds that ended before the gateway was ready
	)
	for round := 1; round <= rounds; round++ {
		form := forms[round%len(forms)]
		g.env["LOG_FORMAT"], g.env["LOG_COMPRESSION"] = form[0], form[1]
		began := g.launch()
		if random.IntN(5) == 0 {
			starting++
			<-time.After(time.Duration(random.IntN(400)) * time.Millisecond) // the moment is what the test is about
			g.kill()
		} else {
			g.awaitReady(began)
			s := newSender(t, g.grpc)
			s.next = next
			wait := s.sendUntilRefused(t)
			// Only after the gateway has data to lose.
			eventually(t, "something is acknowledged", func() bool { return len(s.acknowledged()) > 0 })
			<-time.After(time.Duration(random.IntN(800)) * time.Millisecond)
			g.kill()
			wait()
			acknowledged = append(acknowledged, s.acknowledged()...)
			next = s.next
		}
		if round%killRoundsEach != 0 {
			continue
		}
		g.start()
		f.rest(func(b *backend) {
			var missing string
			arrived := func() (ok bool) { ok, missing = b.has(acknowledged); return ok }
			defer func() { require.Empty(t, missing, "acknowledged before round %d and lost", round) }()
			eventually(t, "every acknowledged item arrives", arrived)
		})
		g.kill()
		damaged, err := filepath.Glob(filepath.Join(g.log, "*", "*", "quarantine", "*"))
		require.NoError(t, err)
		assert.Empty(t, damaged, "a crash of the process tears no record that was whole")
		all += len(acknowledged)
		acknowledged = acknowledged[:0]
		if round%(10*killRoundsEach) == 0 || round == rounds {
			t.Logf("%d rounds, %d of them ended while starting: %d items acknowledged, 0 lost, %d arrivals beyond the first; the backend changed %d times",
				round, starting, all, f.b.repeats(), f.changes)
		}
	}
}

// flapping is a backend that is up, answers UNAVAILABLE, hangs, or is not there, each for a short time.
type flapping struct {
	t       *testing.T
	address string
	b       *backend

	mu      sync.Mutex // locked while the state changes, and by rest
	random  *rand.Rand
	gone    bool
	changes int
}

func startFlapping(t *testing.T, address string) *flapping {
	f := &flapping{t: t, address: address, b: startBackend(t, address), random: rand.New(rand.NewPCG(3, 4))}
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			f.mu.Lock()
			f.change(f.random.IntN(4))
			pause := time.Duration(20+f.random.IntN(300)) * time.Millisecond
			f.mu.Unlock()
			select {
			case <-done:
				return
			case <-time.After(pause):
			}
		}
	})
	t.Cleanup(func() {
		close(done)
		wg.Wait()
	})
	return f
}

// change puts the backend into a state; 0 is up. The caller must have locked mu.
func (f *flapping) change(state int) {
	f.changes++
	f.b.setDeny(state == 1)
	f.b.setHang(state == 2)
	switch gone := state == 3; {
	case gone && !f.gone:
		f.b.stop()
	case !gone && f.gone:
		f.b.start(f.t, f.address)
	}
	f.gone = state == 3
}

// rest keeps the backend up while do runs.
func (f *flapping) rest(do func(*backend)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.change(0)
	do(f.b)
}
