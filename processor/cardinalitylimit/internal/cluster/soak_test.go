package cluster

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/otelcol-custom/otelcol-custom/internal/budget"
)

// load contains the store's own figures.
func (s *stand) load() (cpu time.Duration, bytes, calls int64) {
	number := func(section, name string) float64 {
		for line := range strings.Lines(s.Do(s.client, "INFO", section)) {
			if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+":"); ok {
				n, err := strconv.ParseFloat(value, 64)
				require.NoError(s.t, err)
				return n
			}
		}
		s.t.Fatalf("INFO has no %s", name)
		return 0
	}
	cpu = time.Duration((number("cpu", "used_cpu_user") + number("cpu", "used_cpu_sys")) * float64(time.Second))
	return cpu, int64(number("memory", "used_memory_dataset")), int64(number("stats", "total_commands_processed"))
}

// TestSoakManyGateways runs gateways as goroutines with one store. Each series is at three gateways. The test prints the load
// and the memory of the store at the start, when a generation begins, and when a key explodes. With SOAK=1 there are 1,000
// gateways with 1,000,000 series.
func TestSoakManyGateways(t *testing.T) {
	gateways, total, keys := 100, 20_000, 20
	if os.Getenv("SOAK") != "" {
		gateways, total, keys = 1000, 1_000_000, 50
	}
	s := newStand(t)
	limit := total / keys * 4 / 5 // a fifth finds no place
	members := make([]*member, gateways)
	for i := range members {
		members[i] = s.join(fmt.Sprint("gateway-", i), func(o *Options) {
			o.Timeout, o.Log, o.Budget, o.MinGateways = 60*time.Second, zap.NewNop(), budget.New(256<<20), gateways
		})
		members[i].max = limit
	}
	_, empty, _ := s.load()
	phase := func(name string, decisions int, run func(i int, m *member)) {
		cpu, _, before := s.load()
		var exchanges int64
		for _, m := range members {
			exchanges -= m.Stats().Exchanges
		}
		begin := time.Now()
		var wg sync.WaitGroup
		gate := make(chan struct{}, 64) // as many wait at a time
		for i, m := range members {
			wg.Go(func() {
				gate <- struct{}{}
				defer func() { <-gate }()
				run(i, m)
			})
		}
		wg.Wait()
		took := time.Since(begin)
		for _, m := range members {
			exchanges += m.Stats().Exchanges
		}
		after, bytes, calls := s.load()
		after -= cpu
		t.Logf("%-22s %9d decisions in %6.2f s, store: %5.2f s of CPU, %6.0f decisions per s of CPU, %7d round trips, %8d commands, %6.1f MB",
			name, decisions, took.Seconds(), after.Seconds(), float64(decisions)/after.Seconds(), exchanges, calls-before, float64(bytes-empty)/1e6)
	}
	var mu sync.Mutex
	granted := make(map[Place]int)
	// Series n is at the members n, n+1 and n+2, in batches of 100.
	mine := func(i int, visit func(wants []Want)) {
		var wants []Want
		for n := range total {
			if at := (i - n%gateways + gateways) % gateways; at > 2 {
				continue
			}
			wants = append(wants, Want{
				Place: Place{0, uint64(n % keys), mixed(uint64(n)) &^ 7}, Max: limit, Contested: limit, Stamp: 1, //nolint:gosec // small
			})
			if len(wants) == 100 {
				visit(wants)
				wants = wants[:0]
			}
		}
		if len(wants) > 0 {
			visit(wants)
		}
	}
	phase("start", 3*total, func(i int, m *member) {
		mine(i, func(wants []Want) {
			m.Ask(wants)
			mu.Lock()
			defer mu.Unlock()
			for k := range wants {
				if wants[k].Answer != Refused {
					wants[k].Entered = true
					granted[wants[k].Place]++
				}
				require.NotEqual(t, Alone, wants[k].Answer)
			}
		})
	})
	assert.Len(t, granted, keys*limit, "the limit, over all keys and gateways")
	sum := 0
	for _, n := range granted {
		sum += n
	}
	t.Logf("%d gateways, limit %d in each of %d keys: admitted %d of %d, at %.2f gateways each", gateways, limit, keys, len(granted), total, float64(sum)/float64(len(granted)))
	s.add(length)
	phase("a generation begins", sum, func(i int, m *member) {
		mine(i, func(wants []Want) {
			for k := range wants {
				if granted[wants[k].Place] > 0 {
					m.Renew(wants[k].Place, limit)
				}
			}
		})
		m.flush(t.Context())
	})
	phase("a key explodes", gateways*2000, func(i int, m *member) {
		wants := make([]Want, 200)
		for round := range 10 {
			for k := range wants {
				n := uint64(i*2000 + round*200 + k) //nolint:gosec // small
				wants[k] = Want{Place: Place{0, 1 << 20, mixed(1<<40+n) &^ 7}, Max: 2000, Contested: 2000, Stamp: 1, Entered: true}
			}
			m.Ask(wants)
		}
	})
	assert.Equal(t, "2000", s.Do(s.client, "SCARD", members[0].key(keyID{0, 1 << 20}).names(3)[1+int(s.millis/1_800_000)%3]))
}
