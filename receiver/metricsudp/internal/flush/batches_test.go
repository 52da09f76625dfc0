package flush

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/series"
)

func encoded(t *testing.T, md pmetric.Metrics) string {
	t.Helper()
	text, err := (&pmetric.ProtoMarshaler{}).MarshalMetrics(md)
	require.NoError(t, err)
	return string(text)
}

// newLargeRig returns a rig with room for series that fill several batches.
func newLargeRig(t *testing.T, change func(*series.Options, *Builder, *SenderOptions)) *rig {
	return newRig(t, func(o *series.Options, b *Builder, s *SenderOptions) {
		o.MaxSeries, o.MaxAliases, o.TimedPoints = 20_000, 40_000, 20_000
		change(o, b, s)
	})
}

// A consumer that changes what it refuses is offered the same points of every kind again.
func TestRefusedBatchesOfAMutatingConsumer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var offers []string
		r := newRig(t, func(_ *series.Options, b *Builder, s *SenderOptions) {
			require.NoError(t, b.Resource.Attributes().FromRaw(map[string]any{
				"empty": "", "number": -1, "real": 0.0, "off": false, "list": []any{"a", nil, map[string]any{}}, "bytes": []byte{}, "none": nil,
			}))
			s.Mutates, s.MaxPause = true, time.Second
			s.Consume = func(_ context.Context, batch Batch, attempt int) error {
				offers = append(offers, encoded(t, batch.Metrics))
				batch.Metrics.ResourceMetrics().RemoveIf(func(pmetric.ResourceMetrics) bool { return true })
				if attempt < 4 {
					return errRetryable
				}
				return nil
			}
		})
		r.send(0, "a:0|c\na:-0|g|#k:v\nb:-3|g\nd:0|d\nd:-5:7|d|#k:v\nms:1:2:3|ms|@0.3\nu:x|s\nat:1|g|T7")
		r.flushAt(1)
		require.NoError(t, r.stop(context.Background(), 2))
		require.Len(t, offers, 4)
		for _, again := range offers[1:] {
			assert.Equal(t, offers[0], again)
		}
	})
}

// A batch has at most batchPoints points. Each metric is in as few batches as its points need, or in one more.
func TestLargeFlushesAreCutIntoBatches(t *testing.T) {
	for _, cumulative := range []bool{false, true} {
		r := newLargeRig(t, func(_ *series.Options, b *Builder, _ *SenderOptions) { b.Cumulative = cumulative })
		const metrics, perMetric = 70, 100
		random := rand.New(rand.NewPCG(1, 2))
		for _, i := range random.Perm(metrics * perMetric) {
			r.send(i%2, fmt.Sprintf("m%d:1|c|#k:%d", i%metrics, i))
			r.send(i%2, fmt.Sprintf("at%d:1|g|T%d|#k:%d", i%metrics, i+1, i))
		}
		r.flushAt(1)
		r.consumed()
		r.flushAt(2) // with cumulative, all counters again without new values
		r.consumed()
		require.NoError(t, r.stop(context.Background(), 3))

		points := map[string]int{}
		parts := 0
		for _, md := range r.taken {
			assert.LessOrEqual(t, md.DataPointCount(), batchPoints)
			for _, m := range md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
				parts++
				if m.Type() == pmetric.MetricTypeSum {
					points[m.Name()] += m.Sum().DataPoints().Len()
				} else {
					points[m.Name()] += m.Gauge().DataPoints().Len()
				}
			}
		}
		rounds := 1
		if cumulative {
			rounds = 3
		}
		assert.Len(t, points, 2*metrics)
		for i := range metrics {
			assert.Equal(t, rounds*perMetric, points[fmt.Sprint("m", i)])
			assert.Equal(t, perMetric, points[fmt.Sprint("at", i)])
		}
		assert.LessOrEqual(t, parts, (rounds+1)*metrics+len(r.taken))
	}
}

// If the consumer refuses some batches of a flush, each is offered again unchanged, and no value is lost or counts twice.
func TestRefusedBatchesOfLargeFlushes(t *testing.T) {
	for _, mutates := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			moods, lines := rand.New(rand.NewPCG(3, 4)), rand.New(rand.NewPCG(5, 6)) // of the sender's goroutine and of the test's
			got, refused := map[string]int64{}, map[string]bool{}
			r := newLargeRig(t, func(_ *series.Options, _ *Builder, s *SenderOptions) {
				s.Mutates, s.MaxPause = mutates, time.Second
				s.Consume = func(_ context.Context, batch Batch, attempt int) error {
					text := encoded(t, batch.Metrics)
					assert.Equal(t, attempt > 1, refused[text])
					delete(refused, text)
					refuses := moods.IntN(2) == 0
					for _, m := range batch.Metrics.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
						for _, p := range m.Sum().DataPoints().All() {
							key, _ := p.Attributes().Get("k")
							if !refuses {
								got[key.Str()] += p.IntValue()
							}
							if mutates {
								p.SetIntValue(-1)
								p.Attributes().Clear()
							}
						}
					}
					if refuses {
						refused[text] = true
						return errRetryable
					}
					return nil
				}
			})
			sent := map[string]int64{}
			for second := 1; second <= 8; second++ {
				for i := range 5000 {
					if lines.IntN(3) > 0 {
						r.send(i%2, fmt.Sprintf("m%d:%d|c|#k:%d", i%7, second, i))
						sent[fmt.Sprint(i)] += int64(second)
					}
				}
				r.flushAt(second)
				time.Sleep(300 * time.Millisecond)
			}
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			require.NoError(t, r.stop(ctx, 9))
			assert.Equal(t, sent, got)
			assert.Empty(t, refused)
		})
	}
}
