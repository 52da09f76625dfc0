package rebucket_test

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
	"github.com/otelcol-custom/otelcol-custom/internal/rebucket"
	"github.com/otelcol-custom/otelcol-custom/internal/samples"
)

// pair is a conversion between two layouts.
type pair struct {
	name   string
	target []float64
	// convert counts the values in the source's layout and converts the counts to the target's.
	convert func(values []float64, m method) []uint64
}

// method is a method of conversion.
type method struct {
	name   string
	split  rebucket.Split
	fixed  bool  // shares do not depend on counts
	ranged bool  // minimum and maximum are known
	scale  int32 // exponential points are first reduced to it
}

var methods = []method{
	{name: "upper", split: rebucket.Upper, fixed: true, scale: expo.MaxScale},
	{name: "midpoint", split: rebucket.Midpoint, fixed: true, scale: expo.MaxScale},
	{name: "linear", split: rebucket.Linear, fixed: true, scale: expo.MaxScale},
	{name: "log", split: rebucket.Log, fixed: true, scale: expo.MaxScale},
	{name: "log, cumulative", split: rebucket.Log, fixed: true, scale: 3},
	{name: "log, min and max", split: rebucket.Log, ranged: true, scale: expo.MaxScale},
	{name: "pchip", split: rebucket.PCHIP, scale: expo.MaxScale},
	{name: "pchip, min and max", split: rebucket.PCHIP, ranged: true, scale: expo.MaxScale},
}

func (m method) rangeOf(values []float64) rebucket.Range {
	if !m.ranged {
		return rebucket.Unknown
	}
	return rebucket.Range{Min: slices.Min(values), Max: slices.Max(values)}
}

// ofSize160 returns the exponential layout of at most 160 buckets for the source bounds.
func ofSize160(source []float64) rebucket.Layout {
	l, _ := rebucket.NewLayout(source, 20, 160, 0)
	return l
}

// pow2 has the bounds of the preset of that name.
var pow2 = func() []float64 {
	var bounds []float64
	for e := -10; e < 20; e++ {
		bounds = append(bounds, math.Ldexp(1, e))
	}
	return bounds
}()

var pairs = []pair{
	{"exponential, 160 buckets, to OTel default", samples.OTel, fromExponential(samples.OTel)},
	{"exponential, 160 buckets, to misaligned", samples.Misaligned, fromExponential(samples.Misaligned)},
	{"OTel default to misaligned", samples.Misaligned, fromExplicit(samples.OTel, explicitTo(samples.Misaligned))},
	{"misaligned to OTel default", samples.OTel, fromExplicit(samples.Misaligned, explicitTo(samples.OTel))},
	{"OTel default to exponential, 160 buckets", ofSize160(samples.OTel).Bounds(), fromExplicit(samples.OTel, layoutTo(ofSize160(samples.OTel)))},
	{"Prometheus' to misaligned", samples.Misaligned, fromExplicit(samples.Prometheus, explicitTo(samples.Misaligned))},
	{"Prometheus' to exponential, 160 buckets", ofSize160(samples.Prometheus).Bounds(), fromExplicit(samples.Prometheus, layoutTo(ofSize160(samples.Prometheus)))},
	{"Prometheus' to pow2", pow2, fromExplicit(samples.Prometheus, explicitTo(pow2))},
}

func fromExponential(target []float64) func([]float64, method) []uint64 {
	return func(values []float64, m method) []uint64 {
		h := expo.New(160)
		for _, v := range values {
			h.Record(v, 1)
		}
		h.ToScale(m.scale)
		p := rebucket.NewExponentialPlan(target, h.Scale, 0, rebucket.ZeroPositive, m.split)
		out := make([]uint64, len(target)+1)
		if m.fixed {
			p.Apply(out, h.ZeroCount, h.Positive, h.Negative)
		} else {
			p.Fit(out, h.ZeroCount, h.Positive, h.Negative, m.rangeOf(values))
		}
		return out
	}
}

// planner makes the plan from source bounds to a target with a number of buckets.
type planner struct {
	buckets int
	plan    func(source []float64, split rebucket.Split) *rebucket.Plan
}

func explicitTo(target []float64) planner {
	return planner{len(target) + 1, func(source []float64, split rebucket.Split) *rebucket.Plan {
		return rebucket.NewPlan(target, source, split)
	}}
}

func layoutTo(layout rebucket.Layout) planner {
	return planner{layout.Buckets(), func(source []float64, split rebucket.Split) *rebucket.Plan {
		return rebucket.NewLayoutPlan(layout, source, split)
	}}
}

func fromExplicit(source []float64, to planner) func([]float64, method) []uint64 {
	return func(values []float64, m method) []uint64 {
		p := to.plan(source, m.split)
		out, counts := make([]uint64, to.buckets), samples.Count(source, values)
		if m.fixed {
			p.Apply(out, counts)
		} else {
			p.Fit(out, counts, m.rangeOf(values))
		}
		return out
	}
}

const (
	accuracySamples = 100_000
	accuracySeed    = 7
)

// accuracy has mean errors over the distributions, in percent.
type accuracy struct {
	cdf, p50, p90, p99 float64
	each               []float64 // cdf by distribution
}

func measure(p pair, m method, n int) accuracy {
	var a accuracy
	for _, d := range samples.Distributions {
		values := d.Draw(n, accuracySeed)
		want, got := samples.Count(p.target, values), p.convert(values, m)
		cdf := 100 * samples.MaxCDFError(want, got)
		a.each = append(a.each, cdf)
		share := 1 / float64(len(samples.Distributions))
		a.cdf += share * cdf
		for q, sum := range map[float64]*float64{0.5: &a.p50, 0.9: &a.p90, 0.99: &a.p99} {
			*sum += share * 100 * samples.QuantileError(q, p.target, want, got)
		}
	}
	return a
}

// quantiles returns the mean error of the three quantiles.
func (a accuracy) quantiles() float64 { return (a.p50 + a.p90 + a.p99) / 3 }

// TestAutoIsMostAccurate justifies auto: PCHIP, and Log for cumulative streams. Among the methods that a kind of point
// allows, no other one has a smaller mean error of the cumulative share or of the quantiles, with the listed exceptions.
func TestAutoIsMostAccurate(t *testing.T) {
	fixed := []rebucket.Split{rebucket.Upper, rebucket.Midpoint, rebucket.Linear, rebucket.Log}
	for _, kind := range []struct {
		name      string
		auto      method
		others    []rebucket.Split
		share     []string // exceptions, as pair and split; docs/bucketing/accuracy.md has the figures
		quantiles []string
	}{
		{"delta with minimum and maximum", method{split: rebucket.PCHIP, ranged: true, scale: expo.MaxScale}, fixed, nil, nil},
		{
			"delta without",
			method{split: rebucket.PCHIP, scale: expo.MaxScale},
			fixed,
			[]string{
				"OTel default to exponential, 160 buckets: linear", "Prometheus' to misaligned: linear",
				"Prometheus' to exponential, 160 buckets: linear", "Prometheus' to exponential, 160 buckets: log",
			},
			nil,
		},
		{
			"cumulative",
			method{split: rebucket.Log, fixed: true, scale: 3},
			fixed[:3],
			[]string{
				"OTel default to misaligned: linear", "OTel default to exponential, 160 buckets: linear", "Prometheus' to misaligned: linear",
				"Prometheus' to exponential, 160 buckets: linear", "Prometheus' to pow2: linear",
			},
			[]string{"exponential, 160 buckets, to OTel default: midpoint"},
		},
	} {
		for _, p := range pairs {
			auto := measure(p, kind.auto, accuracySamples)
			for _, split := range kind.others {
				m := kind.auto
				m.split = split
				other, name := measure(p, m, accuracySamples), p.name+": "+split.String()
				require.Equal(t, slices.Contains(kind.share, name), auto.cdf > other.cdf,
					"%s: %s: %.3g against %.3g", kind.name, name, auto.cdf, other.cdf)
				require.Equal(t, slices.Contains(kind.quantiles, name), auto.quantiles() > other.quantiles(),
					"%s: %s: %.3g against %.3g", kind.name, name, auto.quantiles(), other.quantiles())
			}
		}
	}
}

// BenchmarkAccuracy prints errors in percent, relative to counting the same observations directly in the target's layout:
// the largest error of the cumulative share at a target bound, and the errors of the quantiles that histogram_quantile
// computes.
func BenchmarkAccuracy(b *testing.B) {
	for _, p := range pairs {
		b.Run(strings.ReplaceAll(p.name, ", ", " "), func(b *testing.B) {
			var t table
			for b.Loop() {
				t = tableOf(p)
			}
			fmt.Fprintf(os.Stdout, "\n%s\n\n%s\n\n", p.name, strings.Join(t, "\n"))
		})
	}
}

// table has the errors of one pair, as lines of Markdown.
type table []string

func tableOf(p pair) table {
	head := "| method |"
	for _, d := range samples.Distributions {
		head += " " + d.Name + " |"
	}
	t := table{head + " mean | p50 | p90 | p99 |", strings.Repeat("|---", len(samples.Distributions)+5) + "|"}
	for _, m := range methods {
		a := measure(p, m, accuracySamples)
		row := "| " + m.name + " |"
		for _, e := range append(a.each, a.cdf, a.p50, a.p90, a.p99) {
			row += fmt.Sprintf(" %.3g |", e)
		}
		t = append(t, row)
	}
	return t
}
