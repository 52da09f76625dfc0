package flush

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/series"
)

// moody is a consumer that refuses for a while and accepts for a while, by chance.
type moody struct {
	mu       sync.Mutex // guards the fields below
	refusing bool
	offers   []moodyOffer
}

func (m *moody) refuse(refuse bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refusing = refuse
}

// offered returns all offers so far, in order.
func (m *moody) offered() []moodyOffer {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.offers)
}

type moodyOffer struct {
	batch    Batch
	bytes    string
	accepted bool
}

func (m *moody) consume(_ context.Context, b Batch, _ int) error {
	var marshal pmetric.ProtoMarshaler
	bytes, err := marshal.MarshalMetrics(b.Metrics)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.offers = append(m.offers, moodyOffer{b, string(bytes), !m.refusing})
	if m.refusing {
		return errRetryable
	}
	return nil
}

// accepted returns the batches that the consumer accepted, in order.
func (m *moody) accepted() (batches []pmetric.Metrics) {
	for _, o := range m.offered() {
		if o.accepted {
			batches = append(batches, o.batch.Metrics)
		}
	}
	return batches
}

// moodyRun flushes 60 times while the consumer's mood changes. It returns the sums that were sent.
func moodyRun(seed uint64, r *rig, m *moody, each func(sent map[string]int64)) (sent map[string]int64) {
	random := rand.New(rand.NewPCG(seed, 1))
	sent = map[string]int64{}
	refusing := false
	for second := 1; second <= 60; second++ {
		for range random.IntN(5) {
			key := fmt.Sprint("k", random.IntN(3))
			r.send(random.IntN(2), fmt.Sprintf("a:2|c|#k:%s\nd:5|d\ng:%d|g\nu:%d|s", key, second, random.Uint64()))
			sent[key] += 2
			sent["d"]++
			sent["g"] = int64(second)
			sent["u"]++
		}
		if random.IntN(4) == 0 {
			r.send(0, fmt.Sprintf("at:1|g|T%d", second))
			sent["at"]++
		}
		if random.IntN(4) == 0 {
			refusing = !refusing
			m.refuse(refusing)
		}
		r.flushAt(second)
		synctest.Wait()
		each(sent)
		time.Sleep(900 * time.Millisecond) // no flush falls on the moment of a retry
	}
	return sent
}

func newMoodyRig(t *testing.T, m *moody, cumulative bool) *rig {
	return newRig(t, func(o *series.Options, b *Builder, s *SenderOptions) {
		b.Cumulative = cumulative
		o.TimedPoints, o.ExpirySwaps = 1000, 1000
		s.Consume, s.MaxPause = m.consume, time.Second
	})
}

// sumPoints calls yield for every point of the counter a.
func sumPoints(batches []pmetric.Metrics, yield func(key string, p pmetric.NumberDataPoint)) {
	for _, m := range metricsOf(batches, "a") {
		for i := range m.Sum().DataPoints().Len() {
			p := m.Sum().DataPoints().At(i)
			key, _ := p.Attributes().Get("k")
			yield(key.Str(), p)
		}
	}
}

func metricsOf(batches []pmetric.Metrics, name string) (found []pmetric.Metric) {
	for _, md := range batches {
		metrics := md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics()
		for i := range metrics.Len() {
			if metrics.At(i).Name() == name {
				found = append(found, metrics.At(i))
			}
		}
	}
	return found
}

// A refused delta interval is offered again unchanged until it is accepted. Values that come meanwhile form one interval after it.
// So no value is lost, none counts twice, and the intervals have no gaps.
func TestRefusedDeltaIntervals(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			m := &moody{}
			r := newMoodyRig(t, m, false)
			sent := moodyRun(seed, r, m, func(map[string]int64) {})
			m.refuse(false)
			require.NoError(t, r.stop(context.Background(), 61))

			refused := ""
			for i, o := range m.offered() {
				if refused != "" {
					require.Equal(t, refused, o.bytes, "offer %d of seed %d", i, seed)
				}
				refused = o.bytes
				if o.accepted {
					refused = ""
				}
			}
			accepted := m.accepted()
			got, ends := map[string]int64{}, map[string]int64{}
			sumPoints(accepted, func(key string, p pmetric.NumberDataPoint) {
				got[key] += p.IntValue()
				if end := ends[key]; end != 0 {
					require.Equal(t, end, int64(p.StartTimestamp()))
				}
				ends[key] = int64(p.Timestamp())
			})
			checkIntervals(t, accepted, got)
			for _, d := range metricsOf(accepted, "d") {
				got["d"] += int64(d.ExponentialHistogram().DataPoints().At(0).Count())
			}
			gauges := metricsOf(accepted, "g")
			got["g"] = int64(gauges[len(gauges)-1].Gauge().DataPoints().At(0).DoubleValue())
			assert.Equal(t, sent, got, "seed %d", seed)
		})
	}
}

// checkIntervals counts the points that belong to one interval with either temporality.
func checkIntervals(t *testing.T, accepted []pmetric.Metrics, got map[string]int64) {
	t.Helper()
	for _, u := range metricsOf(accepted, "u") {
		got["u"] += u.Gauge().DataPoints().At(0).IntValue()
	}
	for _, at := range metricsOf(accepted, "at") {
		got["at"] += int64(at.Gauge().DataPoints().Len())
	}
}

// A refused cumulative batch is replaced by the next, so that each flush offers the present totals. Sets and points
// with a time of their own are offered again unchanged.
func TestRefusedCumulativePointsAreReplaced(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			m := &moody{}
			r := newMoodyRig(t, m, true)
			before := 0
			sent := moodyRun(seed, r, m, func(sent map[string]int64) {
				offered := map[string]int64{}
				for _, o := range m.offered()[before:] {
					if o.batch.Restated { // the last offer belongs to this flush
						sumPoints([]pmetric.Metrics{o.batch.Metrics}, func(key string, p pmetric.NumberDataPoint) {
							offered[key] = p.IntValue()
						})
					}
				}
				before = len(m.offered())
				for _, key := range []string{"k0", "k1", "k2"} {
					require.Equal(t, sent[key], offered[key], "seed %d", seed)
				}
			})
			m.refuse(false)
			require.NoError(t, r.stop(context.Background(), 61))

			refused := ""
			for _, o := range m.offered() {
				if o.batch.Restated {
					continue
				}
				if refused != "" {
					require.Equal(t, refused, o.bytes, "seed %d", seed)
				}
				refused = o.bytes
				if o.accepted {
					refused = ""
				}
			}
			accepted := m.accepted()
			got := map[string]int64{}
			sumPoints(accepted, func(key string, p pmetric.NumberDataPoint) { got[key] = p.IntValue() })
			checkIntervals(t, accepted, got)
			for _, d := range metricsOf(accepted, "d") {
				got["d"] = int64(d.ExponentialHistogram().DataPoints().At(0).Count())
			}
			gauges := metricsOf(accepted, "g")
			got["g"] = int64(gauges[len(gauges)-1].Gauge().DataPoints().At(0).DoubleValue())
			assert.Equal(t, sent, got, "seed %d", seed)
		})
	}
}

// A gauge that is set once and refused is in the next batch, and so is the last total of a series that would have
// expired meanwhile.
func TestRefusedPointsOutliveTheirSeries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &moody{}
		m.refuse(true)
		r := newRig(t, func(o *series.Options, b *Builder, s *SenderOptions) {
			b.Cumulative, o.ExpirySwaps = true, 2
			s.Consume, s.MaxPause = m.consume, time.Second
		})
		r.send(0, "g:4|g\na:7|c")
		for second := 1; second <= 10; second++ {
			r.flushAt(second)
			synctest.Wait()
			time.Sleep(time.Second)
		}
		m.refuse(false)
		require.NoError(t, r.stop(context.Background(), 11))
		accepted := m.accepted()
		require.Len(t, metricsOf(accepted, "g"), 1)
		assert.InDelta(t, 4, metricsOf(accepted, "g")[0].Gauge().DataPoints().At(0).DoubleValue(), 0)
		require.Len(t, metricsOf(accepted, "a"), 1)
		assert.Equal(t, int64(7), metricsOf(accepted, "a")[0].Sum().DataPoints().At(0).IntValue())
	})
}

// A consumer that needs longer than an interval to refuse also gets the newest totals.
func TestSlowRefusalsAreReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var offered []int64
		r := newRig(t, func(_ *series.Options, b *Builder, s *SenderOptions) {
			b.Cumulative = true
			s.MaxPause = time.Second
			s.Consume = func(_ context.Context, batch Batch, _ int) error {
				sumPoints([]pmetric.Metrics{batch.Metrics}, func(_ string, p pmetric.NumberDataPoint) {
					offered = append(offered, p.IntValue())
				})
				time.Sleep(2500 * time.Millisecond)
				return errRetryable
			}
		})
		for second := 1; second <= 20; second++ {
			r.send(0, "a:1|c")
			r.flushAt(second)
			time.Sleep(time.Second)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		require.ErrorIs(t, r.stop(ctx, 21), ErrNotHandedOn)
		time.Sleep(5 * time.Second) // the call that Close did not wait for
		synctest.Wait()
		require.Greater(t, len(offered), 5)
		for i := range len(offered) - 1 {
			assert.Greater(t, offered[i+1], offered[i])
		}
	})
}

// feedingClock sends at the end of each interval.
type feedingClock struct {
	IntervalClock
	feed func()
}

func (c feedingClock) Next(stopped <-chan struct{}) (time.Time, bool) {
	now, ok := c.IntervalClock.Next(stopped)
	if ok {
		c.feed()
	}
	return now, ok
}

// A consumer whose calls and pauses last exactly as long as the interval is offered new totals after each of them.
func TestRefusalsInStepWithTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var offered []int64
		r := newRig(t, func(_ *series.Options, b *Builder, s *SenderOptions) {
			b.Cumulative = true
			s.MaxPause = 10 * time.Second
			s.Consume = func(_ context.Context, batch Batch, _ int) error {
				sumPoints([]pmetric.Metrics{batch.Metrics}, func(_ string, p pmetric.NumberDataPoint) {
					offered = append(offered, p.IntValue())
				})
				time.Sleep(10 * time.Second)
				return errRetryable
			}
		})
		r.Clock = feedingClock{IntervalClock{Interval: 10 * time.Second}, func() { r.send(0, "a:1|c") }}
		go r.Run()
		time.Sleep(205 * time.Second)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		require.ErrorIs(t, r.Shutdown(ctx), ErrNotHandedOn)
		time.Sleep(10 * time.Second) // the call that Close did not wait for
		synctest.Wait()
		require.Greater(t, len(offered), 5)
		assert.Greater(t, offered[len(offered)-1], int64(10), "offered %v", offered)
	})
}

// A shutdown offers the refused interval and then the one after it, and counts both if they are refused.
func TestShutdownOffersBothIntervals(t *testing.T) {
	for _, refuses := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			m := &moody{}
			m.refuse(true)
			r := newMoodyRig(t, m, false)
			r.send(0, "a:1|c|#k:x")
			r.flushAt(1)
			time.Sleep(10 * time.Second)
			r.send(0, "a:2|c|#k:x")
			r.flushAt(2)
			r.send(1, "a:4|c|#k:x\nb:1|c")
			m.refuse(refuses)
			synctest.Wait()
			before := len(m.offered())
			ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
			defer cancel()
			err := r.stop(ctx, 3)

			var values []int64
			for _, o := range m.offered()[before:] {
				sumPoints([]pmetric.Metrics{o.batch.Metrics}, func(_ string, p pmetric.NumberDataPoint) { values = append(values, p.IntValue()) })
			}
			require.GreaterOrEqual(t, len(values), 2)
			assert.Equal(t, []int64{1, 6}, values[:2])
			if refuses {
				require.ErrorIs(t, err, ErrNotHandedOn)
				assert.ErrorContains(t, err, ": 3", "points of both")
			} else {
				require.NoError(t, err)
				assert.Len(t, values, 2)
			}
		})
	}
}
