package flush

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/series"
)

func (r *rig) sendFrom(table int, from netip.Addr, lines string) {
	r.sources[table].Datagram([]byte(lines), false, 1, from)
}

// text returns the attributes in a fixed order.
func text(attributes pcommon.Map) string {
	var all []string
	for key, value := range attributes.AsRaw() {
		all = append(all, fmt.Sprintf("%s=%v", key, value))
	}
	slices.Sort(all)
	return strings.Join(all, ",")
}

// sumsByOrigin adds up the points of counters by resource, name and attributes. It checks that each batch has one resource and one
// scope.
func (r *rig) sumsByOrigin() map[string]int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	sums := map[string]int64{}
	for _, md := range r.taken {
		require.Equal(r.t, 1, md.ResourceMetrics().Len())
		rm := md.ResourceMetrics().At(0)
		require.Equal(r.t, 1, rm.ScopeMetrics().Len())
		require.Equal(r.t, "scope", rm.ScopeMetrics().At(0).Scope().Name())
		for _, m := range rm.ScopeMetrics().At(0).Metrics().All() {
			for _, p := range m.Sum().DataPoints().All() {
				sums[text(rm.Resource().Attributes())+"|"+m.Name()+"|"+text(p.Attributes())] += p.IntValue()
			}
		}
	}
	return sums
}

// Random lines of random origins go through 1, 2 and 4 readers, with random flushes, to a consumer that refuses at random. The
// accepted sums are those of a map of all lines.
func TestOriginsAreConserved(t *testing.T) {
	containers := map[string]string{ // the field and its resource
		"":                            "",
		"|c:ci-1":                     "container.id=1",
		"|c:in-1":                     "dogstatsd.cgroup.inode=1",
		"|c:ci-1|card:low":            "container.id=1",
		"|e:it-false,cn-1,pu-1":       "k8s.container.name=1,k8s.pod.uid=1",
		"|e:pu-1,cn-1":                "k8s.container.name=1,k8s.pod.uid=1",
		"|c:ci-2|e:it-true,cn-1,pu-1": "container.id=2,k8s.container.name=1,k8s.pod.uid=1",
		"|c:\xff":                     "",
	}
	addresses := map[netip.Addr]string{
		{}:                                      "",
		netip.MustParseAddr("192.0.2.1"):        "client.address=192.0.2.1",
		netip.MustParseAddr("::ffff:192.0.2.1"): "client.address=192.0.2.1",
		netip.MustParseAddr("192.0.2.2"):        "client.address=192.0.2.2",
		netip.MustParseAddr("2001:db8::1"):      "client.address=2001:db8::1",
		netip.MustParseAddr("2001:db8::2"):      "client.address=2001:db8::2",
	}
	fields := slices.Sorted(maps.Keys(containers))
	senders := slices.SortedFunc(maps.Keys(addresses), netip.Addr.Compare)
	tags := map[string]string{"": "", "|#a:1": "a=1", "|#a:1,b:2": "a=1,b=2", "|#b:2,a:1": "a=1,b=2", "|#ci-1": "ci-1="}
	spellings := slices.Sorted(maps.Keys(tags))

	for _, mode := range []series.OriginMode{series.OriginNone, series.OriginIP, series.OriginContainer} {
		for _, readers := range []int{1, 2, 4} {
			t.Run(fmt.Sprint(mode, "/", readers), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					rng := rand.New(rand.NewPCG(uint64(mode), uint64(readers)))
					r := newRig(t, func(o *series.Options, _ *Builder, _ *SenderOptions) {
						o.Origin, o.Tables, o.ExpirySwaps, o.MaxAliases, o.TimedPoints = mode, readers, 4, 40, 1000
						o.SimpleTags = true
					})
					refusals := rand.New(rand.NewPCG(7, uint64(readers)))
					r.answer(func(context.Context, pmetric.Metrics) error {
						if refusals.IntN(3) == 0 {
							return errRetryable
						}
						return nil
					})
					want := map[string]int64{}
					for i := range 4000 {
						sender, field := senders[rng.IntN(len(senders))], fields[rng.IntN(len(fields))]
						name, spelling, n := fmt.Sprintf("m%d", rng.IntN(3)), spellings[rng.IntN(len(spellings))], rng.IntN(100)
						timed := ""
						if rng.IntN(20) == 0 {
							timed = "|T1600000000"
						}
						r.sendFrom(rng.IntN(readers), sender, fmt.Sprintf("%s:%d|c%s%s%s", name, n, spelling, field, timed))
						resource := ""
						switch mode {
						case series.OriginIP:
							resource = addresses[sender]
						case series.OriginContainer:
							resource = containers[field]
						}
						want[resource+"|"+name+"|"+tags[spelling]] += int64(n)
						if rng.IntN(40) == 0 {
							r.flushAt(5 * (1 + i))
						}
						if rng.IntN(100) == 0 { // long enough for origins to expire
							for range rng.IntN(6) {
								r.flushAt(5 * (1 + i))
							}
						}
					}
					require.NoError(t, r.stop(context.Background(), 100_000))
					assert.Equal(t, want, r.sumsByOrigin())
					if mode == series.OriginNone {
						assert.Len(t, want, 3*4)
					}
				})
			})
		}
	}
}

// Of one flush, only the batches that were refused are offered again.
func TestRefusedOriginsAreOfferedAgain(t *testing.T) {
	r := newRig(t, func(o *series.Options, b *Builder, _ *SenderOptions) {
		o.Origin = series.OriginContainer
		b.Resource.Attributes().PutStr("service.name", "x")
		b.Resource.Attributes().PutStr("container.id", "static")
	})
	offered := map[string]int{}
	r.answer(func(_ context.Context, md pmetric.Metrics) error {
		resource := text(md.ResourceMetrics().At(0).Resource().Attributes())
		offered[resource]++
		switch {
		case strings.HasPrefix(resource, "container.id=slow") && offered[resource] < 4:
			return errRetryable
		case strings.HasPrefix(resource, "container.id=never"):
			return errors.New("never")
		}
		return nil
	})
	r.send(0, "a:1|c|c:ci-good\na:1|c\na:1|c|c:ci-slow\na:1|c|c:ci-never\na:1|c|c:ci-fine")
	r.flushAt(5)
	r.consumed()
	assert.Equal(t, map[string]int{
		"container.id=good,service.name=x": 1, "container.id=fine,service.name=x": 1, "container.id=static,service.name=x": 1,
		"container.id=slow,service.name=x": 4, "container.id=never,service.name=x": 1,
	}, offered)
	r.send(0, "a:2|c|c:ci-slow")
	require.NoError(t, r.stop(context.Background(), 10))
	assert.Equal(t, int64(3), r.sumsByOrigin()["container.id=slow,service.name=x|a|"])
}

// A shutdown that gives up returns how many points of all origins were not accepted.
func TestShutdownCountsEveryOrigin(t *testing.T) {
	for name, tt := range map[string]struct {
		refuse func(context.Context) error
		want   string
	}{
		"refusing": {func(context.Context) error { return errRetryable }, ": 3"},
		"hanging":  {func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, ": 3"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(o *series.Options, _ *Builder, _ *SenderOptions) { o.Origin = series.OriginContainer })
			r.answer(func(ctx context.Context, md pmetric.Metrics) error {
				if _, ok := md.ResourceMetrics().At(0).Resource().Attributes().Get("container.id"); ok {
					return tt.refuse(ctx)
				}
				return nil
			})
			r.send(0, "a:1|c|c:ci-1\nb:1|c|c:ci-1\na:1|c\na:1|c|c:ci-2")
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			err := r.stop(ctx, 5)
			require.ErrorIs(t, err, ErrNotHandedOn)
			require.ErrorContains(t, err, tt.want)
			assert.Equal(t, map[string]int64{"|a|": 1}, r.sumsByOrigin(), "the others of the flush are offered all the same")
		})
	}
}

// A consumer for which Close no longer waits is offered no further batch of the flush.
func TestAbandonedConsumerIsOfferedNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release, offered := make(chan struct{}), 0
		r := newRig(t, func(o *series.Options, _ *Builder, _ *SenderOptions) { o.Origin = series.OriginContainer })
		r.answer(func(context.Context, pmetric.Metrics) error {
			offered++
			<-release
			return nil
		})
		r.send(0, "a:1|c|c:ci-1\na:1|c|c:ci-2\na:1|c")
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		err := r.stop(ctx, 5)
		require.ErrorIs(t, err, ErrNotHandedOn)
		require.ErrorContains(t, err, ": 3")
		close(release)
		synctest.Wait()
		assert.Equal(t, 1, offered)
	})
}

// Values that come while the consumer processes a flush are merged, for each origin.
func TestStalledConsumerCoalescesByOrigin(t *testing.T) {
	r := newRig(t, func(o *series.Options, _ *Builder, _ *SenderOptions) { o.Origin = series.OriginContainer })
	stalled, release := r.stall()
	r.send(0, "a:1|c|c:ci-1")
	r.flushAt(5)
	<-stalled
	for i := 2; i <= 6; i++ {
		r.send(i%2, fmt.Sprintf("a:1|c|c:ci-%d\na:1|c|c:ci-1", i%2+1))
		r.flushAt(5 * i)
	}
	r.answer(nil)
	close(release)
	require.NoError(t, r.stop(context.Background(), 35))
	assert.Equal(t, map[string]int64{"container.id=1|a|": 1 + 5 + 3, "container.id=2|a|": 2}, r.sumsByOrigin())
	assert.Len(t, r.taken, 1+2)
	points := r.sums("a")
	assert.Equal(t, 0, seconds(points[0].StartTimestamp()))
	assert.Equal(t, points[0].Timestamp(), points[1].StartTimestamp(), "touches the one of its origin")
}

// Cumulative points have a start and a total of their own for each origin.
func TestCumulativeByOrigin(t *testing.T) {
	r := newRig(t, func(o *series.Options, b *Builder, _ *SenderOptions) {
		b.Cumulative, o.TimedCounters, o.Origin = true, false, series.OriginIP
	})
	one, two := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	r.sendFrom(0, one, "a:1|c")
	r.flushAt(5)
	r.consumed()
	r.sendFrom(1, two, "a:10|c")
	r.flushAt(10)
	r.consumed()
	r.sendFrom(1, one, "a:1|c")
	require.NoError(t, r.stop(context.Background(), 15))
	var got []string
	for _, md := range r.taken {
		p := md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).Sum().DataPoints().At(0)
		got = append(got, fmt.Sprintf("%s from %d to %d: %d",
			text(md.ResourceMetrics().At(0).Resource().Attributes()), seconds(p.StartTimestamp()), seconds(p.Timestamp()), p.IntValue()))
	}
	assert.ElementsMatch(t, []string{
		"client.address=192.0.2.1 from 0 to 5: 1",
		"client.address=192.0.2.1 from 0 to 10: 1", "client.address=192.0.2.2 from 5 to 10: 10",
		"client.address=192.0.2.1 from 0 to 15: 2", "client.address=192.0.2.2 from 5 to 15: 10",
	}, got)
}
