package offenders

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func newBoardOfKeys(t testing.TB, count int) *Board {
	b, ok := New(begin, Options{Limits: 1, Count: count, Keys: true, Window: time.Hour, Budget: &fixedBudget{left: 1 << 24}})
	require.True(t, ok)
	return b
}

// flood notes offences under one key by n metrics with one series each.
func flood(b *Board, key uint64, n int, rng *rand.Rand) {
	for i := range n {
		b.Note(Offence{Key: key, Offender: rng.Uint64(), Series: rng.Uint64(), Used: 500, Max: 500}, func() Subject {
			return Subject{Metric: fmt.Sprint("name", i), Key: "resource.service.name=orders"}
		})
	}
}

// A flood of metric names does not hide a metric that explodes later, and no name of the flood is reported.
func TestLaterExploderAfterAFloodOfNames(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		b := newBoardOfKeys(t, 10)
		flood(b, 7, 20_000, rng)
		r := b.Measure(begin)
		require.Empty(t, r.Top)
		require.Len(t, r.Keys, 1)
		require.Equal(t, Subject{Key: "resource.service.name=orders"}, r.Keys[0].Subject)
		require.InEpsilon(t, 20_500, r.Keys[0].Wanted(), 0.1)
		flood(b, 7, 1000, rng)
		for range 10_000 {
			b.Note(Offence{Key: 7, Offender: 42, Series: rng.Uint64(), Used: 500, Max: 500}, func() Subject {
				return Subject{Metric: "requests", Key: "resource.service.name=orders"}
			})
		}
		r = b.Measure(begin.Add(time.Second))
		require.Len(t, r.Top, 1, "seed %d", seed)
		require.Equal(t, "requests", r.Top[0].Metric)
		require.InEpsilon(t, 10_000, r.Top[0].Refused, 0.12)
		require.InEpsilon(t, 31_500, r.Keys[0].Wanted(), 0.1)
	}
}

// The largest keys are named although there are thousands of small ones.
func TestLargestKeys(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	b := newBoardOfKeys(t, 3)
	for key := range uint64(2000) {
		flood(b, 100+key, 3, rng)
	}
	for i, n := range []int{3000, 2000, 1000} {
		flood(b, uint64(i)+1, n, rng)
	}
	r := b.Measure(begin)
	require.Len(t, r.Keys, 3)
	for i, want := range []int{3500, 2500, 1500} {
		require.InEpsilon(t, want, r.Keys[i].Wanted(), 0.12)
	}
}

// An offender with urgentSeries in the sample replaces a smaller one, whose memory is released.
func TestProfileGivesWay(t *testing.T) {
	budget := &fixedBudget{left: 1 << 20}
	b, ok := New(begin, Options{Limits: 1, Count: 1, Window: time.Hour, Budget: budget})
	require.True(t, ok)
	idle := budget.left
	rng := rand.New(rand.NewPCG(1, 1))
	for id := range uint64(profilesPerNamed) {
		crowd{"small", id + 1, 2}.offendTo(b, rng)
	}
	full := budget.left
	for range urgentSeries - 1 {
		require.Nil(t, crowd{"large", 99, 1}.offendTo(b, rng))
	}
	require.NotNil(t, crowd{"large", 99, 1}.offendTo(b, rng))
	require.Equal(t, full, budget.left)
	b.Measure(begin.Add(10 * time.Hour))
	b.Measure(begin.Add(10 * time.Hour))
	require.Equal(t, idle, budget.left)
}

// offendTo notes n offences and returns the last profile.
func (c crowd) offendTo(b *Board, rng *rand.Rand) (p *Profile) {
	for range c.n {
		p = b.Note(Offence{Offender: c.id, Series: rng.Uint64()}, func() Subject { return Subject{Metric: c.name} }).Metric
	}
	return p
}
