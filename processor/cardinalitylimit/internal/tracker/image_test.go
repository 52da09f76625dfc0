package tracker

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/snapshot"
)

// bytesOf writes an image of a tracker and returns a reader of it.
func bytesOf(t testing.TB, tr *Tracker) *snapshot.Decoder { return stored(t, tr.Image()) }

func stored(t testing.TB, image Image) *snapshot.Decoder {
	m := memory{}
	s, err := snapshot.Open(context.Background(), m, 1)
	require.ErrorIs(t, err, snapshot.ErrMissing)
	require.NoError(t, s.Write(context.Background(), true, snapshot.Section{Name: "t", Encode: image.Encode}))
	d, err := s.Read(context.Background(), "t")
	require.NoError(t, err)
	return d
}

type memory map[string][]byte

func (m memory) Get(_ context.Context, key string) ([]byte, error) { return m[key], nil }
func (m memory) Set(_ context.Context, key string, v []byte) error { m[key] = v; return nil }
func (m memory) Delete(_ context.Context, key string) error        { delete(m, key); return nil }

// A tracker that was stored and read makes the same decisions as the original, in every generation.
func TestRestoredDecidesAlike(t *testing.T) {
	for _, exactUpTo := range []int{1 << 20, 50} {
		for seed := range uint64(20) {
			cfg := config(exactUpTo)
			cfg.Generations = 2 + int(seed%6)
			rng := rand.New(rand.NewPCG(seed, 1))
			a := open(t, 200, cfg)
			for generation := range int64(30) {
				a.Advance(generation)
				for range 100 {
					offer(a, spread(rng.Uint64N(400)))
				}
				if generation%3 != 0 {
					continue
				}
				used := cfg.Budget.Used()
				b := Decode(bytesOf(t, a), generation, cfg)
				require.NotNil(t, b)
				require.Equal(t, a.Size(), b.Size())
				for range 2000 {
					fp := spread(rng.Uint64N(800))
					require.Equal(t, a.Check(fp), b.Check(fp))
				}
				a.Free()
				a = b
				require.LessOrEqual(t, cfg.Budget.Used(), used)
			}
		}
	}
}

// After the limit was raised, the incumbents in Bloom filters keep their places, and strangers enter at the false-positive
// rate of the new size.
func TestRaisedLimitKeepsIncumbents(t *testing.T) {
	for _, exactUpTo := range []int{1 << 20, 100} {
		t.Run(fmt.Sprint("exact_up_to=", exactUpTo), func(t *testing.T) {
			cfg := config(exactUpTo)
			tr := open(t, 1000, cfg)
			for fp := range uint64(1000) {
				require.True(t, offer(tr, spread(fp)))
			}
			require.False(t, offer(tr, spread(5000)))
			tr = Decode(bytesOf(t, tr), 0, cfg)
			tr.SetLimit(20_000)
			for generation := range int64(5) {
				tr.Advance(generation)
				for fp := range uint64(20_000) {
					require.True(t, offer(tr, spread(fp)))
				}
				require.InDelta(t, 20_000, tr.Size(), 20)
				entered := 0
				for fp := range uint64(100_000) {
					if offer(tr, spread(1<<40+fp+uint64(generation)<<30)) {
						entered++
					}
				}
				require.Less(t, entered, 60)
			}
			tr.Free()
			require.LessOrEqual(t, cfg.Budget.Used(), int64(wordBytes<<11))
		})
	}
}

func FuzzDecode(f *testing.F) {
	for _, exactUpTo := range []int{1 << 20, 5} {
		tr := open(f, 20, config(exactUpTo))
		for fp := range uint64(10) {
			offer(tr, spread(fp))
		}
		d := bytesOf(f, tr)
		all := []byte{}
		for {
			b := d.Bool()
			if d.Err() != nil {
				break
			}
			all = append(all, map[bool]byte{true: 1}[b])
		}
		f.Add(all)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		cfg := config(5)
		if tr := Decode(snapshot.NewDecoder(b), 3, cfg); tr != nil {
			tr.Advance(10)
			offer(tr, 99)
			tr.SetLimit(30)
			offer(tr, 100)
			tr.Free()
		}
		require.Zero(t, cfg.Budget.Used())
	})
}

// The benchmark measures how long a snapshot blocks a key of 1M series.
func BenchmarkImage(b *testing.B) {
	const series = 1_000_000
	for name, exactUpTo := range map[string]int{"exact": series, "bloom": 1000} {
		b.Run(name, func(b *testing.B) {
			tr := open(b, series, config(exactUpTo))
			for fp := range uint64(series) {
				offer(tr, spread(fp))
			}
			for b.Loop() {
				tr.Image()
			}
		})
	}
}
