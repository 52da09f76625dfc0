package offenders

import (
	"math"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// errorsOf are the relative errors of an estimate over many seeds.
type errorsOf []float64

func (e errorsOf) rms() float64 {
	sum := 0.0
	for _, x := range e {
		sum += x * x
	}
	return math.Sqrt(sum / float64(len(e)))
}

func (e errorsOf) worst() (most float64) {
	for _, x := range e {
		most = max(most, math.Abs(x))
	}
	return most
}

// explosion is a set of series with two labels, one with many values and one with few. Each value of the second label also
// has a series that lacks the first.
type explosion struct{ many, few int }

// addTo adds all series to a profile. It returns the true number of series that are left without each label.
func (x explosion) addTo(p *Profile, seed uint64) (withoutMany, withoutFew int) {
	series := func(many, few int) uint64 { return mixed(mixed(seed^uint64(many)<<32) ^ uint64(few)) } //nolint:gosec // bits
	leftMany, leftFew := make(map[uint64]bool), make(map[uint64]bool)
	for few := range x.few {
		leftMany[series(-1, few)] = true
		leftFew[series(-1, -1)] = true
		v := Value{At: 1, Label: 2, Hash: mixed(seed + uint64(few)), Name: "few", Without: series(-1, -1)} //nolint:gosec // bits
		p.Add(&v)
		p.AddLacking(1<<v.At, series(-1, few))
		for many := range x.many {
			leftMany[series(-1, few)] = true
			leftFew[series(many, -1)] = true
			a := Value{At: 0, Label: 1, Hash: mixed(seed ^ uint64(many)<<20), Name: "many", Without: series(-1, few)} //nolint:gosec // bits
			b := Value{At: 1, Label: 2, Hash: mixed(seed + uint64(few)), Name: "few", Without: series(many, -1)}      //nolint:gosec // bits
			p.Add(&a)
			p.Add(&b)
			p.AddLacking(1<<a.At|1<<b.At, series(many, few))
		}
	}
	return len(leftMany), len(leftFew)
}

// The number of series that would be left without a label is estimated with the error of its sketch. With SOAK=1 the test
// uses 500 seeds and prints the table of the documentation.
func TestWhatIf(t *testing.T) {
	seeds := uint64(30)
	if os.Getenv("SOAK") != "" {
		seeds = 500
	}
	for _, x := range []explosion{{many: 1000, few: 5}, {many: 1000, few: 40}, {many: 10_000, few: 5}, {many: 300, few: 300}} {
		var many, few errorsOf
		for seed := range seeds {
			b := newBoard(t, 3, &fixedBudget{left: 1 << 20})
			end := b.Subscribe()
			rng := rand.New(rand.NewPCG(seed, 1))
			p := crowd{"requests", 1, 1}.offendTo(b, rng)
			withoutMany, withoutFew := x.addTo(p, mixed(rng.Uint64()))
			without := make(map[string]float64)
			for _, l := range b.Measure(begin).Top[0].Labels {
				without[l.Name] = float64(l.Without)
			}
			many = append(many, without["many"]/float64(withoutMany)-1)
			few = append(few, without["few"]/float64(withoutFew)-1)
			end()
		}
		t.Logf("| %d x %d | %d | %.1f %% | %.1f %% | %d | %.1f %% | %.1f %% |", x.many, x.few,
			x.few, 100*many.rms(), 100*many.worst(), x.many+1, 100*few.rms(), 100*few.worst())
		for left, e := range map[int]errorsOf{x.few: many, x.many + 1: few} {
			require.Less(t, e.rms(), 0.045)
			require.Less(t, e.worst(), max(0.15, 1.1/float64(left)), "of few series, one may share a register with another")
		}
	}
}

// The sketches exist while there is a subscriber.
func TestWhatIfOnlyWhileAsked(t *testing.T) {
	budget := &fixedBudget{left: 1 << 20}
	b, ok := New(begin, Options{Limits: 1, Count: 3, Window: time.Hour, Budget: budget})
	require.True(t, ok)
	rng := rand.New(rand.NewPCG(1, 1))
	p := crowd{"requests", 1, 1}.offendTo(b, rng)
	require.False(t, p.WhatIf())
	p.Add(&Value{Label: 1, Hash: rng.Uint64(), Name: "id"})
	p.Add(&Value{Label: 1, Hash: rng.Uint64(), Name: "id"})
	before := budget.left
	first, second := b.Subscribe(), b.Subscribe()
	require.True(t, p.WhatIf())
	p.Add(&Value{Label: 1, Hash: rng.Uint64(), Name: "id", Without: rng.Uint64()})
	require.Equal(t, before-windowBytes(whatIfPrecision), budget.left)
	require.EqualValues(t, 1, b.Measure(begin).Top[0].Labels[0].Without)
	first()
	first()
	require.True(t, p.WhatIf())
	second()
	require.False(t, p.WhatIf())
	require.Zero(t, b.Measure(begin).Top[0].Labels[0].Without)
	require.Equal(t, before, budget.left)
	require.True(t, b.Measure(begin.Add(time.Minute)).Top[0].Partial)
}

func BenchmarkWhatIf(bench *testing.B) {
	for _, asked := range []bool{false, true} {
		name := "values"
		if asked {
			name = "with what-if"
		}
		bench.Run(name, func(bench *testing.B) {
			b := newBoard(bench, 10, &fixedBudget{left: 1 << 20})
			if asked {
				defer b.Subscribe()()
			}
			rng := rand.New(rand.NewPCG(1, 1))
			p := crowd{"requests", 1, 1}.offendTo(b, rng)
			series := make([]uint64, 1<<12)
			for i := range series {
				series[i] = rng.Uint64()
			}
			bench.ReportAllocs()
			for i := 0; bench.Loop(); i++ {
				s, has := series[i&(1<<12-1)], uint32(0)
				for at := range 5 {
					v := Value{At: at, Label: uint64(at), Hash: s >> at, Name: "label"}
					if asked {
						v.Without = s << at
					}
					p.Add(&v)
					has |= 1 << v.At
				}
				if asked {
					p.AddLacking(has, s)
				}
			}
		})
	}
}
