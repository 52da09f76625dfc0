package rebucket_test

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/internal/rebucket"
	"github.com/otelcol-custom/otelcol-custom/internal/samples"
)

// limited is a layout and the maximum number of its buckets.
type limited struct {
	name   string
	bounds []float64
	size   int
}

var limits = []limited{
	{"OTel default, 16 buckets, to 8", samples.OTel, 8},
	{"160 buckets, four per power of two, to 16", fourPerPower, 16},
	{"160 buckets, four per power of two, to 31", fourPerPower, 31},
}

// fourPerPower has four bounds per power of two, from 2^-10 on.
var fourPerPower = func() []float64 {
	bounds := make([]float64, 159)
	for i := range bounds {
		bounds[i] = math.Exp2(float64(i)/4 - 10)
	}
	return bounds
}()

// errors returns percentages: the largest error that removing bounds can cause, and the mean difference of three
// quantiles from those of the values themselves.
func (l limited) errors(values []float64, choose func(counts []uint64) []float64) (worst, quantiles float64) {
	counts := samples.Count(l.bounds, values)
	kept := choose(counts)
	merged := make([]uint64, len(kept)+1)
	rebucket.Merge(merged, kept, l.bounds, counts)
	worst = 100 * float64(worstError(l.bounds, counts, kept)) / float64(len(values))
	sorted := slices.Sorted(slices.Values(values))
	for _, q := range []float64{0.5, 0.9, 0.99} {
		want := sorted[int(q*float64(len(sorted)))]
		quantiles += 100 * math.Abs(samples.Quantile(q, kept, merged)-want) / want / 3
	}
	return worst, quantiles
}

func (l limited) uniform([]uint64) []float64 { return rebucket.Subset(l.bounds, l.size, nil) }

func (l limited) minError(counts []uint64) []float64 {
	return new(rebucket.Chooser).Choose(nil, l.bounds, counts, l.size, nil)
}

// TestMinErrorIsMoreAccurate justifies min_error: its largest error is minimal by definition, and the mean error of
// linearly interpolated quantiles is also smaller.
func TestMinErrorIsMoreAccurate(t *testing.T) {
	for _, l := range limits {
		var uniform, chosen float64
		for _, d := range samples.Distributions {
			values := d.Draw(accuracySamples, accuracySeed)
			w, q := l.errors(values, l.uniform)
			v, p := l.errors(values, l.minError)
			require.LessOrEqual(t, v, w, "%s: %s", l.name, d.Name)
			uniform, chosen = uniform+q, chosen+p
		}
		require.Less(t, chosen, uniform, l.name)
	}
}

// BenchmarkLimitAccuracy prints both errors per distribution.
func BenchmarkLimitAccuracy(b *testing.B) {
	var lines []string
	for b.Loop() {
		lines = []string{"| limit | strategy |", "|---|---|"}
		for _, d := range samples.Distributions {
			lines[0] += " " + d.Name + " |"
			lines[1] += "---|"
		}
		for _, l := range limits {
			for i, choose := range []func([]uint64) []float64{l.uniform, l.minError} {
				line := fmt.Sprintf("| %s | %s |", l.name, []string{"uniform", "min_error"}[i])
				for _, d := range samples.Distributions {
					worst, quantiles := l.errors(d.Draw(accuracySamples, accuracySeed), choose)
					line += fmt.Sprintf(" %.3g (%.3g) |", worst, quantiles)
				}
				lines = append(lines, line)
			}
		}
	}
	fmt.Fprintf(os.Stdout, "\n%s\n", strings.Join(lines, "\n"))
}
