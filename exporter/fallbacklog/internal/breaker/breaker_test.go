package breaker

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/internal/harness"
)

func newBreaker(changes *[]string) (*Breaker, *harness.Clock) {
	c := harness.NewClock()
	return New(Options{
		FailureThreshold: 5, SuccessThreshold: 2, OpenInterval: 10 * time.Second, MaxOpenInterval: 60 * time.Second,
		Now: c.Now,
		OnChange: func(from, to State) {
			if changes != nil {
				*changes = append(*changes, fmt.Sprintf("%s>%s", from, to))
			}
		},
	}), c
}

// The steps are: f failure, s success, c cancel, p a failed probe, r refusal. Each of these needs a permit, which must be
// granted. x: no permit is granted, even to a prober. l: no permit is granted to live data. Digits advance the clock by so many
// times 5 s. C: Close.
func TestTable(t *testing.T) {
	for _, tc := range []struct {
		name, steps string
		changes     []string
		state       State
	}{
		{name: "four failures keep it closed", steps: "ffffsffff", state: Closed},
		{name: "five consecutive open it", steps: "fffffx", changes: []string{"closed>open"}, state: Open},
		{name: "cancels do not count", steps: "ffffcccc", state: Closed},
		{name: "not before the interval", steps: "fffff1x1s", changes: []string{"closed>open", "open>half_open"}, state: HalfOpen},
		{name: "live data does not probe", steps: "fffff2l", changes: []string{"closed>open"}, state: Open},
		{name: "two successes close it", steps: "fffff2ssffff", changes: []string{"closed>open", "open>half_open", "half_open>closed"}, state: Closed},
		{name: "one failed probe opens it for twice as long", steps: "fffff2f2x2c", changes: []string{"closed>open", "open>half_open", "half_open>open", "open>half_open"}, state: HalfOpen},
		{name: "the interval is capped", steps: "fffff2f4f8f92x1c", changes: []string{
			"closed>open", "open>half_open", "half_open>open", "open>half_open", "half_open>open", "open>half_open", "half_open>open", "open>half_open",
		}, state: HalfOpen},
		{name: "the interval starts over after closing", steps: "fffff2f4ssfffff2c", changes: []string{
			"closed>open", "open>half_open", "half_open>open", "open>half_open", "half_open>closed", "closed>open", "open>half_open",
		}, state: HalfOpen},
		{name: "a refusal shows that the downstream is there", steps: "ffffrffff", state: Closed},
		{name: "a refused probe decides nothing", steps: "fffff2rrc", changes: []string{"closed>open", "open>half_open"}, state: HalfOpen},
		{name: "failed probes do not count while closed", steps: "pppppppp", state: Closed},
		{name: "a failed probe opens it for twice as long", steps: "fffff2p2x2c", changes: []string{"closed>open", "open>half_open", "half_open>open", "open>half_open"}, state: HalfOpen},
		{name: "drained closes after one success", steps: "fffff2sC", changes: []string{"closed>open", "open>half_open", "half_open>closed"}, state: Closed},
		{name: "drained without a success does not", steps: "fffff2cC", changes: []string{"closed>open", "open>half_open"}, state: HalfOpen},
		{name: "close does not open an open one", steps: "fffffC", changes: []string{"closed>open"}, state: Open},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var changes []string
			b, c := newBreaker(&changes)
			for i, s := range tc.steps {
				at := fmt.Sprintf("step %d of %s", i, tc.steps)
				switch {
				case s == 'x':
					require.False(t, b.Allow(true).Granted(), at)
				case s == 'l':
					require.False(t, b.Allow(false).Granted(), at)
				case s == 'C':
					b.Close()
				case '0' <= s && s <= '9':
					c.Add(time.Duration(s-'0') * 5 * time.Second)
				default:
					p := b.Allow(true)
					require.NotNil(t, p, at)
					map[rune]func(){'f': p.Failure, 's': p.Success, 'c': p.Cancel, 'p': p.FailProbe, 'r': p.Refused}[s]()
				}
			}
			assert.Equal(t, tc.changes, changes)
			assert.Equal(t, tc.state, b.State())
		})
	}
}

func TestOneProbeAtATime(t *testing.T) {
	b, c := newBreaker(nil)
	for range 5 {
		b.Allow(false).Failure()
	}
	assert.Equal(t, 10*time.Second, b.Wait())
	c.Add(10 * time.Second)
	assert.Zero(t, b.Wait())
	p := b.Allow(true)
	require.NotNil(t, p)
	require.False(t, b.Allow(true).Granted())
	p.Success()
	require.True(t, b.Allow(true).Granted())
}

func TestOutcomesOfAnEarlierStateAreStale(t *testing.T) {
	b, c := newBreaker(nil)
	late := b.Allow(false)
	lateFailure := b.Allow(false)
	for range 5 {
		b.Allow(false).Failure()
	}
	select {
	case <-b.Opened():
	default:
		t.Fatal("Opened is not closed while open")
	}
	late.Success()
	assert.Equal(t, Open, b.State())
	c.Add(10 * time.Second)
	b.Allow(true).Success()
	lateFailure.Failure()
	assert.Equal(t, HalfOpen, b.State(), "a failure from before the outage is no verdict on the probe")
	b.Allow(true).Success()
	select {
	case <-b.Opened():
		t.Fatal("Opened is closed while closed")
	default:
	}
}

func TestConcurrentUse(t *testing.T) {
	b, c := newBreaker(nil)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range 2000 {
				c.Add(time.Second)
				if p := b.Allow(g%2 == 0); p.Granted() {
					switch (i + g) % 4 {
					case 0:
						p.Success()
					case 1:
						p.Cancel()
					default:
						p.Failure()
					}
				}
				_ = b.State()
				select {
				case <-b.Opened():
				default:
				}
			}
		}()
	}
	wg.Wait()
	c.Add(time.Minute)
	for b.State() != Closed {
		p := b.Allow(true)
		require.NotNil(t, p, "no probe was left behind")
		p.Success()
	}
}
