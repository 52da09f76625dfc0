package bench

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
	"github.com/otelcol-custom/otelcol-custom/internal/histpoint"
	draws "github.com/otelcol-custom/otelcol-custom/internal/samples"
)

// TestBucketingAccuracy prints the largest error of the cumulative share at a bound, by distribution. Exponential histograms
// of 160 buckets are converted to the SDKs' default bounds and to others.
//
// Points of the transform processor have as many counts as bounds, without an overflow bucket. It adds a source bucket that
// lies within a target bucket to the count below that of OTLP. With the method midpoint it also does so for a source bucket
// that a bound cuts; with the other methods it does not. So the table shows its points both as a backend reads OTLP, and
// shifted by one bucket.
func TestBucketingAccuracy(t *testing.T) {
	const observations, rounds = 50_000, 3
	for name, bounds := range map[string][]float64{"SDK's default": draws.OTel, "misaligned": draws.Misaligned} {
		t.Run(name, func(t *testing.T) {
			var table strings.Builder
			fmt.Fprintf(&table, "%% of observations, mean of %d draws of %d\n%-28s", rounds, observations, "")
			for _, d := range draws.Distributions {
				fmt.Fprintf(&table, "%12s", d.Name)
			}
			fmt.Fprintf(&table, "%12s\n", "mean")
			var ownMean, leastMean float64 // mean error of bucketing, and the least one of the other converters
			for i, c := range toExplicit(bounds) {
				shifts := []bool{false, true}
				if i < 2 {
					shifts = shifts[:1] // bucketing has all counts
				}
				for _, shifted := range shifts {
					title, mean := c.name, 0.0
					if shifted {
						title += ", shifted"
					}
					fmt.Fprintf(&table, "%-28s", title)
					for _, d := range draws.Distributions {
						var sum float64
						for draw := range uint64(rounds) {
							sum += cdfError(t, c, d.Draw(observations, draw), bounds, shifted)
						}
						fmt.Fprintf(&table, "%12.3f", 100*sum/rounds)
						mean += sum / rounds / float64(len(draws.Distributions))
					}
					fmt.Fprintf(&table, "%12.3f\n", 100*mean)
					switch {
					case i == 0:
						ownMean = mean
					case i > 1 && (leastMean == 0 || mean < leastMean):
						leastMean = mean
					}
				}
			}
			t.Log(table.String())
			require.Less(t, ownMean, leastMean)
		})
	}
}

// cdfError returns the error of one delta point after a processor.
func cdfError(t *testing.T, c converter, values, bounds []float64, shifted bool) float64 {
	h := expo.New(expo.DefaultMaxSize)
	for _, v := range values {
		h.Record(v, 1)
	}
	md, m := newMetric()
	e := m.SetEmptyExponentialHistogram()
	e.SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
	dp := e.DataPoints().AppendEmpty()
	histpoint.StoreExponential(dp, h)
	histpoint.SetTotals(dp, histpoint.Totals{Sum: h.Sum, Min: h.Min, Max: h.Max, HasSum: true, HasMin: true, HasMax: true})

	var got []uint64
	p := c.start(t, func(md pmetric.Metrics) {
		out := md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).Histogram().DataPoints().At(0)
		require.Equal(t, bounds, out.ExplicitBounds().AsRaw())
		got = out.BucketCounts().AsRaw()
	})
	require.NoError(t, p.ConsumeMetrics(t.Context(), md))
	if shifted {
		got = append([]uint64{0}, got...)
	}
	for len(got) <= len(bounds) {
		got = append(got, 0)
	}
	return draws.MaxCDFError(draws.Count(bounds, values), got)
}
