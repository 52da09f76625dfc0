package tracker

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/internal/budget"
)

func config(exactUpTo int) *Options {
	return &Options{ExactUpTo: exactUpTo, FalsePositiveRate: 1e-4, Generations: 2, Budget: budget.New(1 << 30)}
}

func open(t testing.TB, limit int, cfg *Options) *Tracker {
	tr, ok := New(limit, 0, cfg)
	require.True(t, ok)
	return tr
}

func offer(t *Tracker, fp uint64) bool {
	v := t.Check(fp)
	t.Commit(fp, v)
	return v.Passes()
}

// Ten million series are offered. Exact fingerprints admit exactly the limit. Bloom filters also admit strangers at the
// false-positive rate, which is 1e-4 of the series over the limit: at a limit of a million and with nine million strangers,
// 900 series or 0.09 %.
func TestAdmittedOfTenMillion(t *testing.T) {
	const offered = 10_000_000
	for _, c := range []struct {
		limit, exactUpTo int
		most             float64 // maximum number of admitted series, as a multiple of the limit
	}{
		{2_000, 65_536, 1},
		{1_000_000, 65_536, 1.005}, // the default; the tracker changes to filters on the way
	} {
		t.Run(fmt.Sprintf("limit=%d/exact_up_to=%d", c.limit, c.exactUpTo), func(t *testing.T) {
			tr := open(t, c.limit, config(c.exactUpTo))
			rng := rand.New(rand.NewPCG(1, 1))
			admitted := 0
			for range offered {
				if offer(tr, rng.Uint64()) {
					admitted++
				}
			}
			_, exact := tr.store.(*fingerprints)
			require.Equal(t, c.limit < c.exactUpTo, exact)
			require.GreaterOrEqual(t, admitted, c.limit)
			require.LessOrEqual(t, float64(admitted), c.most*float64(c.limit))
			require.Equal(t, c.limit, tr.Size())
			t.Logf("admitted %d of %d offered at limit %d", admitted, offered, c.limit)
		})
	}
}

// A million incumbents report through five windows. In each generation a storm of strangers comes before them. No incumbent
// is ever refused.
func TestSoakMillionIncumbents(t *testing.T) {
	const generations = 2
	limit, windows := 70_000, 5
	if os.Getenv("SOAK") != "" {
		limit = 1_000_000
	}
	for _, exactUpTo := range []int{limit, 65_536} {
		t.Run(fmt.Sprintf("exact_up_to=%d", exactUpTo), func(t *testing.T) {
			tr := open(t, limit, config(exactUpTo))
			for fp := range uint64(limit) {
				require.True(t, offer(tr, spread(fp)))
			}
			stranger, passed := uint64(1<<40), 0
			for generation := range int64(windows * generations) {
				tr.Advance(generation)
				for range limit {
					stranger++
					if offer(tr, spread(stranger)) {
						passed++
					}
				}
				for fp := range uint64(limit) {
					if !tr.Known(spread(fp), generation) && !offer(tr, spread(fp)) {
						t.Fatalf("incumbent %d was refused in generation %d", fp, generation)
					}
				}
				// A stranger that looks like a member is not counted as one.
				require.InDelta(t, limit, tr.Size(), 1e-3*float64(limit))
			}
			t.Logf("%d of %d strangers passed", passed, stranger-1<<40)
		})
	}
}

func TestIncumbentKeepsItsPlaceAcrossRotations(t *testing.T) {
	for _, exactUpTo := range []int{65_536, 100} {
		t.Run(fmt.Sprint("exact_up_to=", exactUpTo), func(t *testing.T) {
			const limit = 1_000
			tr := open(t, limit, config(exactUpTo))
			for fp := range uint64(limit) {
				require.True(t, offer(tr, spread(fp)))
			}
			stranger := uint64(1 << 40)
			for generation := range int64(20) {
				tr.Advance(generation)
				// The strangers come first, then the incumbents.
				for range 2 * limit {
					stranger++
					offer(tr, spread(stranger))
				}
				for fp := range uint64(limit) {
					require.Truef(t, offer(tr, spread(fp)), "generation %d", generation)
				}
				require.InDelta(t, limit, tr.Size(), 0.01*limit)
			}
		})
	}
}

func TestPlacesOfTheSilentAreFreed(t *testing.T) {
	for _, exactUpTo := range []int{65_536, 10} {
		tr := open(t, 100, config(exactUpTo))
		for fp := range uint64(100) {
			require.True(t, offer(tr, spread(fp)))
		}
		require.False(t, offer(tr, spread(1000)))
		require.Zero(t, tr.Advance(1))
		for fp := range uint64(40) {
			require.True(t, offer(tr, spread(fp)))
		}
		require.False(t, offer(tr, spread(1000)), "everybody is still remembered")
		require.Zero(t, tr.Advance(2))
		require.Equal(t, 40, tr.Size())
		for fp := range uint64(100) {
			require.Equal(t, fp >= 40, tr.lostPlace(spread(fp)) && !tr.Check(spread(fp)).IsMember())
		}
		for fp := range uint64(60) {
			require.True(t, offer(tr, spread(2000+fp)))
		}
		require.False(t, offer(tr, spread(3000)))
	}
}

// The tracker agrees at every step with a model that stores everything, for any number of generations and with jumps of
// time.
func TestAgreesWithModel(t *testing.T) {
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 7))
		cfg := config(1 << 20)
		cfg.Generations = 2 + rng.IntN(MaxGenerations-1)
		limit := 1 + rng.IntN(200)
		tr := open(t, limit, cfg)
		seen := map[uint64]int64{}
		lost := map[uint64]int64{} // generation in which a member lost its place last
		keep := int64(cfg.Generations)
		generation := int64(0)
		for range 5_000 {
			if rng.IntN(100) == 0 {
				generation += int64(1 + rng.IntN(2)*rng.IntN(10))
				for fp, at := range seen {
					if generation-at >= keep {
						delete(seen, fp)
						lost[fp] = at + keep
					}
				}
				forgotten := 0
				for fp, at := range lost {
					if generation-at >= keep {
						delete(lost, fp)
						forgotten++
					}
				}
				require.GreaterOrEqual(t, tr.Advance(generation), forgotten) // a series may lose its place twice
			}
			fp := spread(uint64(rng.IntN(400)))
			_, known := seen[fp]
			_, held := lost[fp]
			require.Equal(t, held, tr.lostPlace(fp))
			want := known || len(seen) < limit
			require.Equal(t, want, offer(tr, fp))
			if want {
				seen[fp] = generation
			}
			require.Equal(t, len(seen), tr.Size())
		}
	}
}

func TestCheckDoesNotCommit(t *testing.T) {
	tr := open(t, 1, config(10))
	require.Equal(t, Room, tr.Check(1<<60))
	require.Equal(t, Room, tr.Check(2<<60))
	require.Zero(t, tr.Size())
	tr.Commit(1<<60, Room)
	require.Equal(t, Full, tr.Check(2<<60))
	require.Equal(t, Known, tr.Check(1<<60))
	tr.Advance(1)
	require.Equal(t, Renew, tr.Check(1<<60))
}

func TestZeroFingerprint(t *testing.T) {
	tr := open(t, 10, config(10))
	require.True(t, offer(tr, 0))
	require.Equal(t, Known, tr.Check(0))
	require.Equal(t, 1, tr.Size())
}

func TestBudgetHoldsAndIsGivenBack(t *testing.T) {
	for _, exactUpTo := range []int{1 << 20, 1_000} {
		cfg := config(exactUpTo)
		cfg.Budget = budget.New(64 << 10)
		tr := open(t, 1<<20, cfg)
		admitted := 0
		for fp := range uint64(100_000) {
			if offer(tr, spread(fp)) {
				admitted++
			}
			require.LessOrEqual(t, cfg.Budget.Used(), int64(64<<10))
		}
		require.Positive(t, admitted)
		require.Less(t, admitted, 100_000)
		require.Positive(t, cfg.Budget.Refused())
		for fp := range uint64(100) {
			require.True(t, offer(tr, spread(fp)), "those with a place keep it")
		}
		tr.Free()
		require.Zero(t, cfg.Budget.Used())
	}
}

// The reserved memory of series over two generations agrees with the heap as the runtime measures it.
func TestSoakMemory(t *testing.T) {
	cases := []struct {
		series, exactUpTo int
		most              int64 // bytes
	}{{1_000_000, 1 << 20, 24e6}, {1_000_000, 65_536, 8e6}}
	if os.Getenv("SOAK") != "" {
		for _, c := range cases {
			c.series, c.most = 10*c.series, 10*c.most
			if c.exactUpTo > 65_536 {
				c.exactUpTo = 1 << 24
			}
			cases = append(cases, c)
		}
	}
	for _, c := range cases {
		t.Run(fmt.Sprintf("series=%d/exact_up_to=%d", c.series, c.exactUpTo), func(t *testing.T) {
			before, cfg := heap(), config(c.exactUpTo)
			tr := open(t, c.series, cfg)
			for fp := range uint64(c.series) {
				offer(tr, spread(fp))
			}
			tr.Advance(1)
			for fp := range uint64(c.series / 10) { // seen again: this needs no more memory in either form
				offer(tr, spread(fp))
			}
			held := heap() - before
			t.Logf("reserved %.2f MB, on the heap %.2f MB, %.2f B a series",
				float64(cfg.Budget.Used())/1e6, float64(held)/1e6, float64(held)/float64(c.series))
			require.LessOrEqual(t, cfg.Budget.Used(), c.most)
			require.LessOrEqual(t, held, c.most)
			require.InDelta(t, cfg.Budget.Used(), held, 0.02*float64(held)+1<<16)
			runtime.KeepAlive(tr)
		})
	}
}

func TestAllocsDecision(t *testing.T) {
	for _, exactUpTo := range []int{65_536, 10} {
		tr := open(t, 1_000, config(exactUpTo))
		for fp := range uint64(1_000) {
			offer(tr, spread(fp))
		}
		tr.Advance(1)
		fp := uint64(0)
		require.Zero(t, testing.AllocsPerRun(2_000, func() {
			offer(tr, spread(fp)) // promoted, known, refused
			fp++
		}))
	}
}

// spread turns a small number into a fingerprint with random bits, as the identity hash does.
func spread(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// After the limit was lowered, all members stay until the next generation. Then the first members to report stay, as many as
// there are places, and no other series.
func TestLoweredLimit(t *testing.T) {
	const members, limit = 50_000, 100
	for _, exactUpTo := range []int{65_536, 1_000} {
		tr := open(t, members, config(exactUpTo))
		for fp := range uint64(members) {
			require.True(t, offer(tr, spread(fp)))
		}
		tr.SetLimit(limit)
		for fp := range uint64(members) {
			require.True(t, offer(tr, spread(fp)))
		}
		rng := rand.New(rand.NewPCG(5, 5))
		for generation := int64(1); generation < 6; generation++ {
			tr.Advance(generation)
			passed := 0
			for fp := range uint64(members) {
				ok := offer(tr, spread(fp))
				require.True(t, ok || fp >= limit, "generation %d", generation)
				if ok {
					passed++
				}
			}
			require.InDelta(t, limit, passed, limit/10, "generation %d", generation)
			strangers := 0
			for range 100_000 {
				if offer(tr, rng.Uint64()) {
					strangers++
				}
			}
			require.LessOrEqual(t, strangers, 50, "generation %d", generation)
		}
	}
}

// A point may have a label twice. A series that is committed again is not counted again.
func TestCommittedTwice(t *testing.T) {
	for name, exactUpTo := range map[string]int{"exact": 1 << 20, "bloom": 0} {
		t.Run(name, func(t *testing.T) {
			tr := open(t, 10, config(exactUpTo))
			for generation, want := range []Verdict{Room, Renew, Renew} {
				tr.Advance(int64(generation))
				require.Equal(t, want, tr.Check(spread(1)))
				for range 5 {
					tr.Commit(spread(1), want)
				}
				require.Equal(t, 1, tr.Size())
			}
		})
	}
}

// The budget has no memory for the filters of a raised limit. The present filters accept as many members as they were sized
// for and no more, because a full filter would admit every stranger.
func TestRaisedLimitWithoutRoom(t *testing.T) {
	const members, limit = 10_000, 1_000_000
	cfg := config(0)
	cfg.Budget = budget.New(100_000)
	tr := open(t, members, cfg)
	for fp := range uint64(members / 2) {
		require.True(t, offer(tr, spread(fp)))
	}
	tr.SetLimit(limit)
	for generation := range int64(4) {
		tr.Advance(generation)
		for fp := range uint64(members / 2) {
			require.True(t, offer(tr, spread(fp)))
		}
		entered := 0
		for fp := range uint64(100_000) {
			if offer(tr, spread(1<<40+fp)) {
				entered++
			}
		}
		require.InDelta(t, members/2, entered, members/10, "generation %d", generation)
	}
}

// An explosion enlarges a table. When its series have lost their places, the tracker releases the memory, even if other
// series of the key stay and even if the budget is full.
func TestTableShrinks(t *testing.T) {
	cfg := config(1 << 20)
	tr := open(t, 1<<20, cfg)
	idle := cfg.Budget.Used()
	for fp := range uint64(100_000) {
		require.True(t, offer(tr, spread(fp)))
	}
	full := 1<<30 - int(cfg.Budget.Used())
	require.True(t, cfg.Budget.Reserve(full))
	for generation := range int64(5) {
		tr.Advance(generation)
		for fp := range uint64(5) {
			require.Equal(t, generation > 0, tr.Check(spread(fp)) == Renew)
			require.True(t, offer(tr, spread(fp)))
			require.True(t, tr.Known(spread(fp), generation))
		}
	}
	require.Equal(t, 5, tr.Size())
	cfg.Budget.Release(full)
	require.LessOrEqual(t, cfg.Budget.Used(), 4*idle)
	tr.Free()
	require.Zero(t, cfg.Budget.Used())
	require.False(t, tr.Known(spread(0), 4), "a cursor may ask a tracker that was freed")
	require.Nil(t, tr.store, "the budget has its memory already")
}
