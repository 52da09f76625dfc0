package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/cactus/go-statsd-client/v5/statsd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sendCactus uses go-statsd-client with its defaults: one line per datagram.
func sendCactus(t *testing.T, prefix, address string) ledger {
	c, err := statsd.NewClientWithConfig(&statsd.ClientConfig{Address: address, Prefix: prefix})
	require.NoError(t, err)
	calls := callCactus(t, c, prefix, 40)
	require.NoError(t, c.Close())
	return calls
}

func checkCactus(t *testing.T, w *wire) {
	checkCactusBoth(t, w)
	lines := w.rejected
	for _, n := range w.lines {
		lines += n
	}
	assert.Equal(t, w.datagrams, lines, "a line a datagram")
}

// sendCactusBuffered packs lines into datagrams of 1,432 bytes.
func sendCactusBuffered(t *testing.T, prefix, address string) ledger {
	c, err := statsd.NewClientWithConfig(&statsd.ClientConfig{Address: address, Prefix: prefix, UseBuffered: true})
	require.NoError(t, err)
	calls := callCactus(t, c, prefix, 400)
	require.NoError(t, c.Close()) // flushes
	return calls
}

func checkCactusBuffered(t *testing.T, w *wire) {
	checkCactusBoth(t, w)
	assert.InDelta(t, 1400, w.longest, 32, "payloads of up to 1,432 bytes")
}

func checkCactusBoth(t *testing.T, w *wire) {
	assert.Positive(t, w.rejected, "decrements")
	assert.Positive(t, w.fields["@"], "sampled lines")
	assert.Positive(t, w.fields["#"], "tags")
}

// callCactus makes calls in rounds of 12 lines, some of them in sub-statters.
func callCactus(t *testing.T, c statsd.Statter, prefix string, rounds int) ledger {
	calls := ledger{}
	sub := c.NewSubStatter("sub")
	deep := sub.NewSubStatter("deep")
	// Every fourth call is sampled, without chance, so the test knows what was sent.
	asked := 0
	deep.SetSamplerFunc(func(float32) bool { asked++; return asked%4 == 0 })
	extended, ok := c.(statsd.ExtendedStatSender)
	require.True(t, ok)
	for i := range rounds {
		shop := statsd.Tag{"shop", fmt.Sprintf("s%d", i%4)}
		both := []statsd.Tag{{"z", "last"}, shop}
		n := int64(i % 7)
		require.NoError(t, c.Inc("orders", n, 1, shop))
		calls.add("c", seriesKey(prefix+".orders", "shop:"+shop[1]), 1, float64(n))
		// The order of tags does not matter.
		require.NoError(t, sub.Inc("orders", n, 1, both[i%2], both[(i+1)%2]))
		calls.add("c", seriesKey(prefix+".sub.orders", "z:last", "shop:"+shop[1]), 1, float64(n))
		// A monotonic counter accepts no decrement.
		require.NoError(t, c.Dec("orders", 1, 1, shop))
		// Sampled by chance: only the wire shows what was sent.
		require.NoError(t, c.Inc("sampled", 2, 0.5))
		require.NoError(t, sub.Timing("sampled.time", n, 0.25, shop))
		require.NoError(t, deep.Inc("quarter", 1, 0.25))
		if asked%4 == 0 {
			calls.add("c", seriesKey(prefix+".sub.deep.quarter"), 0.25, 1)
		}
		require.NoError(t, c.Timing("time", n, 1))
		calls.add("ms", seriesKey(prefix+".time"), 1, float64(n))
		require.NoError(t, sub.TimingDuration("elapsed", time.Duration(n)*250*time.Microsecond, 1, shop))
		calls.add("ms", seriesKey(prefix+".sub.elapsed", "shop:"+shop[1]), 1, float64(n)/4)
		require.NoError(t, extended.GaugeFloat("level", float64(n)/4, 1))
		require.NoError(t, c.GaugeDelta("level", n-3, 1))
		require.NoError(t, extended.GaugeFloatDelta("level", 0.25, 1))
		calls.add("g", seriesKey(prefix+".level"), 1, float64(n)/4+float64(n-3)+0.25)
		require.NoError(t, c.Set("members", fmt.Sprintf("m%d", i%30), 1))
		calls.addMember(seriesKey(prefix+".members"), fmt.Sprintf("m%d", i%30))
		require.NoError(t, sub.SetInt("ids", int64(i%20), 1, shop))
		calls.addMember(seriesKey(prefix+".sub.ids", "shop:"+shop[1]), fmt.Sprint(i%20))
		// A DogStatsD type for which the client has no call, and a tag that is not UTF-8.
		require.NoError(t, c.Raw("raw", "1:2:3.5|d", 1, statsd.Tag{"k", "a\xffb"}))
		calls.add("d", seriesKey(prefix+".raw", "k:a\uFFFDb"), 1, 1, 2, 3.5)
	}
	return calls
}
