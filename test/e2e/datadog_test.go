package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/DataDog/datadog-go/v5/statsd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sendDatadog uses datadog-go with its defaults: counters, gauges and sets aggregated in the client, origin detection, payloads
// of 1,432 bytes.
func sendDatadog(t *testing.T, prefix, address string) ledger {
	// An admission webhook sets these variables in a pod. With them, and with the container's id if the client finds one, every
	// line carries its origin.
	t.Setenv("DD_EXTERNAL_ENV", "it-false,cn-shop,pu-01234567-89ab-cdef-0123-456789abcdef")
	c, err := statsd.New(address)
	require.NoError(t, err)
	calls := callDatadog(t, c, prefix+".", func(name string, tags ...string) string {
		return seriesKey(prefix+"."+name, tags...)
	})
	require.NoError(t, c.Close()) // flushes
	return calls
}

func checkDatadog(t *testing.T, w *wire) {
	assert.Positive(t, w.fields["e"], "origin detection is on")
	assert.Positive(t, w.fields["@"], "sampled lines")
	assert.InDelta(t, 1400, w.longest, 32, "payloads of up to 1,432 bytes")
	assert.Less(t, w.lines["counter"], 500, "counters are aggregated in the client")
	assert.Equal(t, 2, w.lines["event"])
	assert.Equal(t, 2, w.lines["service_check"])
}

// sendDatadogExtended also packs the values of distributions into lines, sets a cardinality, and adds a namespace and tags.
func sendDatadogExtended(t *testing.T, prefix, address string) ledger {
	c, err := statsd.New(address, statsd.WithExtendedClientSideAggregation(), statsd.WithNamespace(prefix),
		statsd.WithTags([]string{"region:north", "canary"}),
		statsd.WithCardinality(statsd.CardinalityLow))
	require.NoError(t, err)
	calls := callDatadog(t, c, "", func(name string, tags ...string) string {
		return seriesKey(prefix+"."+name, append(tags, "region:north", "canary:")...)
	})
	require.NoError(t, c.Close())
	return calls
}

func checkDatadogExtended(t *testing.T, w *wire) {
	assert.Positive(t, w.packed, "packed lines")
	assert.Positive(t, w.fields["card"], "the cardinality")
	assert.Less(t, w.lines["distribution"], 1000, "distributions are aggregated in the client")
}

// callDatadog makes the same calls with either client. key returns the series of a name and tags.
func callDatadog(t *testing.T, c *statsd.Client, prefix string, key func(name string, tags ...string) string) ledger {
	calls := ledger{}
	for i := range 4000 {
		shop := fmt.Sprintf("shop:s%d", i%8)
		require.NoError(t, c.Count(prefix+"orders", int64(1+i%3), []string{shop}, 1))
		calls.add("c", key("orders", shop), 1, float64(1+i%3))
		require.NoError(t, c.Incr(prefix+"visits", nil, 1))
		calls.add("c", key("visits"), 1, 1)
	}
	for i := range 1000 {
		v := float64(i%600) / 4
		require.NoError(t, c.TimeInMilliseconds(prefix+"time", v, nil, 1))
		calls.add("ms", key("time"), 1, v)
		require.NoError(t, c.Timing(prefix+"elapsed", time.Duration(i%600)*time.Millisecond, []string{"a:b"}, 1))
		calls.add("ms", key("elapsed", "a:b"), 1, float64(i%600))
		require.NoError(t, c.Histogram(prefix+"size", -v, nil, 1))
		calls.add("h", key("size"), 1, -v)
		require.NoError(t, c.Distribution(prefix+"spread", v, []string{"a:b"}, 1))
		calls.add("d", key("spread", "a:b"), 1, v)
		// Sampled in the client: only the wire shows what was sent.
		require.NoError(t, c.Distribution(prefix+"sampled", v, nil, 0.25))
		require.NoError(t, c.Gauge(prefix+"queue", v, nil, 1))
		calls.add("g", key("queue"), 1, v)
		member := fmt.Sprintf("m%d:%d", i%50, i%7)
		require.NoError(t, c.Set(prefix+"members", member, nil, 1))
		calls.addMember(key("members"), member)
	}
	for i := range 20 {
		at := int64(timedBefore - 100 + i)
		require.NoError(t, c.CountWithTimestamp(prefix+"late", int64(i), nil, 1, time.Unix(at, 0)))
		calls.addTimed("c", key("late"), at, float64(i))
		require.NoError(t, c.GaugeWithTimestamp(prefix+"level", float64(i)/4, []string{"a:b"}, 1, time.Unix(at, 0)))
		calls.addTimed("g", key("level", "a:b"), at, float64(i)/4)
	}
	require.NoError(t, c.SimpleEvent("a title", "a text\nof two lines"))
	require.NoError(t, c.Event(&statsd.Event{
		Title: "fire", Text: "on deck | two", Hostname: "a", Priority: statsd.Low, AlertType: statsd.Warning, Tags: []string{"a:b"},
	}))
	require.NoError(t, c.SimpleServiceCheck("door", statsd.Warn))
	require.NoError(t, c.ServiceCheck(&statsd.ServiceCheck{Name: "gate", Status: statsd.Critical, Message: "stuck\nfast", Tags: []string{"a:b"}}))
	return calls
}
