package offenders

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// fixedBudget is a Budget of a number of bytes.
type fixedBudget struct {
	mu   sync.Mutex
	left int
}

func (r *fixedBudget) Reserve(n int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n > r.left {
		return false
	}
	r.left -= n
	return true
}

func (r *fixedBudget) Release(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.left += n
}

var begin = time.Unix(1_700_000_000, 0)

func newBoard(t testing.TB, count int, budget *fixedBudget) *Board {
	b, ok := New(begin, Options{Limits: 2, Count: count, Window: time.Hour, Examples: true, Budget: budget})
	require.True(t, ok)
	return b
}

// crowd is an offender with n distinct series. Their label "id" has n values and "route" has 7.
type crowd struct {
	name string
	id   uint64
	n    int
}

func (c crowd) offend(b *Board, rng *rand.Rand) {
	for range c.n {
		series := rng.Uint64()
		p := b.Note(Offence{Limit: 1, Offender: c.id, Series: series, Used: 500, Max: 500}, func() Subject {
			return Subject{Metric: c.name, Key: "resource.service.name=orders"}
		})
		c.describe(p.Metric, series)
	}
}

// describe adds the labels of a series to a profile.
func (c crowd) describe(p *Profile, series uint64) {
	if p == nil {
		return
	}
	for i, name := range []string{"route", "id"} {
		value := series
		if name == "route" {
			value = series % 7
		}
		v := Value{At: i, Label: uint64(i), Hash: mixed(value), Name: name}
		if p.Add(&v) {
			p.Example(&v, fmt.Sprint(value))
		}
	}
}

func mixed(x uint64) uint64 {
	x = (x + 1) * 0x9e3779b97f4a7c15
	x ^= x >> 29
	return x * 0xbf58476d1ce4e5b9
}

func TestOffenderAndItsLabel(t *testing.T) {
	budget := &fixedBudget{left: 1 << 20}
	b := newBoard(t, 3, budget)
	crowd{"requests", 1, 47_000}.offend(b, rand.New(rand.NewPCG(1, 1)))
	r := b.Measure(begin)
	require.Len(t, r.Top, 1)
	o := r.Top[0]
	require.Equal(t, Subject{"requests", "resource.service.name=orders"}, o.Subject)
	require.InEpsilon(t, 47_500, o.Wanted(), 0.1)
	require.EqualValues(t, 500, o.Max)
	require.InEpsilon(t, 47_000, r.Refused[1], 0.07)
	require.Zero(t, r.Refused[0])
	require.Len(t, o.Labels, 2)
	require.Equal(t, "id", o.Labels[0].Name)
	require.InEpsilon(t, 47_000, o.Labels[0].Values, 0.14)
	require.Len(t, o.Labels[0].Examples, maxExamples)
	require.Equal(t, "route", o.Labels[1].Name)
	require.EqualValues(t, 7, o.Labels[1].Values)
}

// The large offenders are found although thousands of small ones came first and another one repeats few series often.
func TestTheLargestAreFound(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	b := newBoard(t, 3, &fixedBudget{left: 1 << 20})
	for round := range 3 {
		for id := range uint64(5000) {
			crowd{"small", 100 + id, 2}.offend(b, rng)
		}
		loud := rand.New(rand.NewPCG(9, 9)) // ten series, again and again
		for range 20_000 {
			b.Note(Offence{Limit: 1, Offender: 7, Series: (loud.Uint64()%10 + 1) * 0x9e3779b97f4a7c15}, func() Subject { return Subject{Metric: "loud"} })
		}
		for i, n := range []int{9000, 6000, 4000} {
			crowd{fmt.Sprint("large", i), uint64(i), n}.offend(b, rng)
		}
		b.Measure(begin.Add(time.Duration(round) * time.Second))
	}
	r := b.Measure(begin.Add(time.Minute))
	require.Len(t, r.Top, 3)
	for i, o := range r.Top {
		require.Equal(t, fmt.Sprint("large", i), o.Metric)
	}
	// They got their profiles after the first round at the latest.
	require.Greater(t, r.Top[0].Refused, int64(2*9000*9/10))
	require.InEpsilon(t, 3*(5000*2+19_000)+10, r.Refused[1], 0.07)
}

// An offender that ended is forgotten after half a window to a full one, and its memory is released.
func TestQuietOffendersAreForgotten(t *testing.T) {
	budget := &fixedBudget{left: 1 << 20}
	b := newBoard(t, 3, budget)
	idle := budget.left
	crowd{"requests", 1, 1000}.offend(b, rand.New(rand.NewPCG(1, 1)))
	require.Less(t, budget.left, idle)
	for _, after := range []time.Duration{0, 29 * time.Minute, 31 * time.Minute, 59 * time.Minute} {
		r := b.Measure(begin.Add(after))
		require.Lenf(t, r.Top, 1, "after %s", after)
		require.InEpsilon(t, 1000, r.Refused[1], 0.07)
	}
	r := b.Measure(begin.Add(time.Hour))
	require.Empty(t, r.Top)
	require.Zero(t, r.Refused[1])
	require.Equal(t, idle, budget.left)

	crowd{"requests", 1, 1000}.offend(b, rand.New(rand.NewPCG(1, 1)))
	require.Len(t, b.Measure(begin.Add(time.Hour)).Top, 1)
	// After a long pause it is not known when in the pause the offences came, so the offender is named once more.
	require.Len(t, b.Measure(begin.Add(1000*time.Hour)).Top, 1)
	require.Empty(t, b.Measure(begin.Add(1000*time.Hour)).Top)
}

// Memory is bounded by the number of profiles and labels, and by the budget. All reserved memory is released.
func TestMemoryIsBounded(t *testing.T) {
	fixed := 2*windowBytes(limitPrecision) + 2*rankingBytes
	most := fixed + 2*profilesPerNamed*5*(profileBytes+windowBytes(seriesPrecision)+
		maxLabels*labelBytes+maxVarying*(windowBytes(labelPrecision)+windowBytes(whatIfPrecision)))
	for _, size := range []int{500_000, 1 << 30} {
		budget := &fixedBudget{left: size}
		b, ok := New(begin, Options{Limits: 2, Count: 5, Keys: true, Window: time.Hour, Examples: true, Budget: budget})
		require.True(t, ok)
		end := b.Subscribe()
		rng := rand.New(rand.NewPCG(4, 4))
		name, value := strings.Repeat("l", 1<<10), strings.Repeat("v", 1<<16)
		for i := range 20_000 {
			pair := b.Note(Offence{Limit: 0, Key: uint64(i%999) + 1, Offender: uint64(i % 1000), Series: rng.Uint64()}, func() Subject {
				return Subject{strings.Repeat("m", 1<<16), strings.Repeat("k", 1<<16)}
			})
			for at := range 50 {
				for _, p := range []*Profile{pair.Metric, pair.Key} {
					v := Value{At: at, Label: uint64(i%100*50 + at), Hash: rng.Uint64(), Name: name, Without: rng.Uint64()}
					if p != nil && p.Add(&v) {
						p.Example(&v, value)
					}
				}
			}
			if i%2000 == 0 {
				b.Measure(begin)
			}
			require.LessOrEqual(t, size-budget.left, most)
		}
		require.NotEmpty(t, b.Measure(begin).Keys)
		b.Measure(begin.Add(10 * time.Hour)) // reports and forgets
		b.Measure(begin.Add(10 * time.Hour))
		require.Equal(t, size-fixed, budget.left)
		end()
	}
	_, ok := New(begin, Options{Limits: 1, Window: time.Hour, Budget: &fixedBudget{left: 1000}})
	require.False(t, ok)
}

// Goroutines note offences while Measure rotates half windows and frees profiles.
func TestManyGoroutines(t *testing.T) {
	budget := &fixedBudget{left: 1 << 20}
	b := newBoard(t, 2, budget)
	before := budget.left
	var wg sync.WaitGroup
	for g := range uint64(8) {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(5, g))
			for i := range 200 {
				crowd{fmt.Sprint(i % 9), uint64(i % 9), 50}.offend(b, rng)
			}
		})
	}
	for i := range 200 {
		b.Measure(begin.Add(time.Duration(i) * time.Minute))
	}
	wg.Wait()
	b.Measure(begin.Add(200 * time.Hour)) // reports and forgets
	b.Measure(begin.Add(200 * time.Hour))
	require.Equal(t, before, budget.left)
}

// A series of an offender with a profile costs no allocation, even if the series is new.
func TestAllocsNote(t *testing.T) {
	b := newBoard(t, 3, &fixedBudget{left: 1 << 20})
	rng := rand.New(rand.NewPCG(1, 1))
	c := crowd{"requests", 1, 100_000}
	c.offend(b, rng)
	series := make([]uint64, 1024)
	for i := range series {
		series[i] = rng.Uint64()
	}
	i := 0
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		s := series[i%1024]
		i++
		p := b.Note(Offence{Limit: 1, Offender: 1, Series: s, Used: 500, Max: 500}, func() Subject { return Subject{} })
		p.Metric.Add(&Value{At: 0, Label: 0, Hash: s, Name: "route"})
		p.Metric.Add(&Value{At: 1, Label: 1, Hash: s, Name: "id"})
	}))
}

func BenchmarkNote(bench *testing.B) {
	b := newBoard(bench, 10, &fixedBudget{left: 1 << 20})
	rng := rand.New(rand.NewPCG(1, 1))
	crowd{"requests", 1, 100_000}.offend(b, rng)
	series := make([]uint64, 1<<16)
	for i := range series {
		series[i] = rng.Uint64()
	}
	bench.ReportAllocs()
	bench.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			s := series[i&(1<<16-1)]
			p := b.Note(Offence{Limit: 1, Offender: 1, Series: s, Used: 500, Max: 500}, func() Subject { return Subject{} })
			for at := range 5 {
				p.Metric.Add(&Value{At: at, Label: uint64(at), Hash: s >> at, Name: "label"})
			}
		}
	})
}

// If the interval of Measure is longer than the window, each report contains everything since the report before. No offence
// is forgotten before it was reported.
func TestWindowShorterThanTheInterval(t *testing.T) {
	for _, window := range []time.Duration{time.Second, 14 * time.Second, 16 * time.Second, 29 * time.Second} {
		budget := &fixedBudget{left: 1 << 20}
		b, ok := New(begin, Options{Limits: 2, Count: 3, Window: window, Budget: budget})
		require.True(t, ok)
		idle := budget.left
		rng := rand.New(rand.NewPCG(1, 1))
		for i := range 10 {
			crowd{"requests", 1, 1000}.offend(b, rng)
			r := b.Measure(begin.Add(time.Duration(i+1) * 15 * time.Second))
			require.Len(t, r.Top, 1, "window %s, report %d", window, i)
			require.GreaterOrEqual(t, r.Top[0].Refused, int64(900))
			require.GreaterOrEqual(t, r.Refused[1], int64(900))
			require.LessOrEqual(t, r.Refused[1], int64(1100*(1+(window+14*time.Second)/(15*time.Second))))
		}
		b.Measure(begin.Add(time.Hour)) // forgets
		require.Empty(t, b.Measure(begin.Add(2*time.Hour)).Top)
		require.Equal(t, idle, budget.left)
	}
}
