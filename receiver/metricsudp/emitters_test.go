package metricsudp

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/DataDog/datadog-go/v5/statsd"
	cactus "github.com/cactus/go-statsd-client/v5/statsd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/socket"
)

// emitter sends the same interval twice. Real clients are used where they are Go modules; of others the lines that
// they write are sent.
type emitter struct {
	name   string
	env    map[string]string
	send   func(t *testing.T, to net.Addr) bool // false: the client does not know this transport
	option func(*Config)
	want   []string // points of both intervals, by name
}

// TestEmittersWithEachOption shows what the key of an option changes for the clients that need it, over each transport
// that they know.
func TestEmittersWithEachOption(t *testing.T) {
	negativeGauge := func(t *testing.T, c *statsd.Client) { require.NoError(t, c.Gauge("temp", -5, nil, 1)) }
	decrement := func(t *testing.T, c *statsd.Client) {
		require.NoError(t, c.Incr("sessions.open", nil, 1))
		require.NoError(t, c.Count("sessions.open", -2, nil, 1))
	}
	timing := func(t *testing.T, c *statsd.Client) {
		require.NoError(t, c.Timing("took", 1500*time.Millisecond, nil, 1))
		require.NoError(t, c.Histogram("size", 1500, nil, 1))
	}
	count := func(t *testing.T, c *statsd.Client) {
		require.NoError(t, c.Incr("page views", []string{"http.route:/"}, 1))
	}
	pod := map[string]string{"DD_ENTITY_ID": "01234567-89ab-cdef-0123-456789abcdef"}
	const inPod = "page views{http.route=/} 1 of container.id=" + datadogContainer + " of k8s.pod.uid=01234567-89ab-cdef-0123-456789abcdef"
	none := func(*Config) {}
	for _, tt := range []emitter{
		{"datadog-go, gauge", nil, datadog(negativeGauge), none, []string{"temp{} -5", "temp{} -10"}},
		{"datadog-go, gauge, interval", nil, datadog(negativeGauge), func(c *Config) { c.Gauges.Signed = signedInterval }, []string{"temp{} -5", "temp{} -5"}},
		{"datadog-go, gauge, absolute", nil, datadog(negativeGauge), func(c *Config) { c.Gauges.Signed = signedAbsolute }, []string{"temp{} -5", "temp{} -5"}},
		{"datadog-go, decrement", nil, datadog(decrement), none, nil}, // aggregated in the client: -1
		{"datadog-go, decrement, non_monotonic", nil, datadog(decrement), func(c *Config) { c.Counters.NonMonotonic = []string{`sessions\..*`} }, []string{"sessions.open{} -1 not monotonic", "sessions.open{} -1 not monotonic"}},
		{"datadog-go, timing", nil, datadog(timing), none, []string{"size{} n1 1500", "size{} n1 1500", "took[ms]{} n1 1500", "took[ms]{} n1 1500"}},
		{"datadog-go, timing, s", nil, datadog(timing), func(c *Config) { c.TimerUnit = timerSeconds }, []string{"size{} n1 1500", "size{} n1 1500", "took[s]{} n1 1.5", "took[s]{} n1 1.5"}},
		{"datadog-go, name", nil, datadog(count), none, []string{"page views{http.route=/} 1", "page views{http.route=/} 1"}},
		{"datadog-go, name, etsy", nil, datadog(count), func(c *Config) { c.NameCleaning = cleaningEtsy }, []string{"page_views{http.route=/} 1", "page_views{http.route=/} 1"}},
		{"datadog-go, name, prometheus", nil, datadog(count), func(c *Config) { c.NameCleaning = cleaningPrometheus }, []string{"page_views{http_route=/} 1", "page_views{http_route=/} 1"}},
		{"datadog-go, pod", pod, datadog(count), none, []string{"page views{http.route=/} 1", "page views{http.route=/} 1"}},
		{"datadog-go, pod, container", pod, datadog(count), func(c *Config) { c.Origin = originContainer }, []string{
			inPod, inPod,
		}},

		{"go-statsd-client", nil, cactusCalls, none, []string{"level{} -2", "level{} -4", "took[ms]{} n1 1500", "took[ms]{} n1 1500"}},
		{"go-statsd-client, all", nil, cactusCalls, func(c *Config) {
			c.Gauges.Signed, c.IsMonotonicCounter, c.TimerUnit = signedInterval, false, timerSeconds
		}, []string{"level{} -2", "level{} -2", "sessions{} -1 not monotonic", "sessions{} -1 not monotonic", "took[s]{} n1 1.5", "took[s]{} n1 1.5"}},

		{"etsy's examples with blanks", nil, lines("gorets : 1|c\nglork: 320 |ms"), none, []string{"glork[ms]{} n1 320", "glork[ms]{} n1 320", "gorets{} 1", "gorets{} 1"}},
		{"PHP, a # before each tag", nil, lines("hits:1|c|##a:1,#b:2"), none, []string{"hits{a=1 b=2} 1", "hits{a=1 b=2} 1"}},
		{"go-kit, dogstatsd gauge", nil, lines("temp:-5.000000|g"), func(c *Config) { c.Gauges.Signed = signedAbsolute }, []string{"temp{} -5", "temp{} -5"}},
		{"Java, c:cid-", nil, lines("hits:1|c|c:cid-0123456789abcdef"), func(c *Config) { c.Origin = originContainer }, []string{"hits{} 1 of container.id=0123456789abcdef", "hits{} 1 of container.id=0123456789abcdef"}},
		{"several types in a line", nil, lines("hits:1|c|:2|c\nhits:5|c"), none, []string{"hits{} 5", "hits{} 5"}},
	} {
		for _, transport := range []string{transportUDP, transportTCP, transportUnixgram, transportUnix} {
			t.Run(tt.name+" over "+transport, func(t *testing.T) { tt.run(t, transport) })
		}
	}
}

func (e *emitter) run(t *testing.T, transport string) {
	for key, value := range e.env {
		t.Setenv(key, value)
	}
	sink := new(consumertest.MetricsSink)
	r := start(t, sink, func(c *Config) {
		e.option(c)
		// However many flushes there are until all is read, no series expires.
		c.AggregationInterval, c.SeriesExpiry = minInterval, maxExpiry
		if c.Transport = transport; c.isUnix() {
			if !socket.HasUnix {
				t.Skip("no Unix sockets on this system")
			}
			c.Endpoint = filepath.Join(socketDir(t), "s")
		}
	})
	if !e.send(t, r.addr()) {
		t.Skip("not a transport of this client")
	}
	second := 0
	flushUntil := func(points int) { // what was sent may be read after a flush
		for sink.DataPointCount() < points {
			second++
			require.Less(t, second, 1_000_000, "points: %v", describePoints(sink.AllMetrics()))
			r.clock.tick(second)
		}
	}
	flushUntil(len(e.want) / 2)
	e.send(t, r.addr())
	flushUntil(len(e.want))
	require.NoError(t, r.Shutdown(context.Background()))
	assert.Equal(t, e.want, describePoints(sink.AllMetrics()))
}

func datadog(calls func(*testing.T, *statsd.Client)) func(*testing.T, net.Addr) bool {
	schemes := map[string]string{transportUDP: "", transportUnixgram: "unixgram://", transportUnix: "unixstream://"}
	return func(t *testing.T, to net.Addr) bool {
		scheme, ok := schemes[to.Network()]
		if !ok {
			return false
		}
		c, err := statsd.New(scheme+to.String(), statsd.WithoutTelemetry(), statsd.WithContainerID("ci-"+datadogContainer))
		require.NoError(t, err)
		calls(t, c)
		require.NoError(t, c.Close())
		return true
	}
}

func cactusCalls(t *testing.T, to net.Addr) bool {
	if to.Network() != transportUDP {
		return false
	}
	c, err := cactus.NewClientWithConfig(&cactus.ClientConfig{Address: to.String()})
	require.NoError(t, err)
	require.NoError(t, c.GaugeDelta("level", -2, 1))
	require.NoError(t, c.Dec("sessions", 1, 1))
	require.NoError(t, c.TimingDuration("took", 1500*time.Millisecond, 1))
	require.NoError(t, c.Close())
	return true
}

func lines(text string) func(*testing.T, net.Addr) bool {
	return func(t *testing.T, to net.Addr) bool {
		c, err := net.Dial(to.Network(), to.String())
		require.NoError(t, err)
		payload := []byte(text)
		if to.Network() == transportUnix {
			payload = append(binary.LittleEndian.AppendUint32(nil, uint32(len(text))), text...)
		}
		_, err = c.Write(payload)
		require.NoError(t, err)
		require.NoError(t, c.Close())
		return true
	}
}

// describePoints writes the points of all batches, ordered by name and then by time.
func describePoints(batches []pmetric.Metrics) (all []string) {
	byName := map[string][]string{}
	for _, md := range batches {
		for _, rm := range md.ResourceMetrics().All() {
			from := ""
			for key, value := range rm.Resource().Attributes().All() {
				from += " of " + key + "=" + value.Str()
			}
			for _, m := range rm.ScopeMetrics().At(0).Metrics().All() {
				id := m.Name()
				if m.Unit() != "" {
					id += "[" + m.Unit() + "]"
				}
				byName[id] = append(byName[id], id+describePoint(m)+from)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		all = append(all, byName[name]...)
	}
	return all
}

// describePoint writes the only point of a metric.
func describePoint(m pmetric.Metric) string {
	switch m.Type() {
	case pmetric.MetricTypeSum:
		p := m.Sum().DataPoints().At(0)
		text := fmt.Sprintf("{%s} %d", describeTags(p.Attributes().AsRaw()), p.IntValue())
		if !m.Sum().IsMonotonic() {
			text += " not monotonic"
		}
		return text
	case pmetric.MetricTypeGauge:
		p := m.Gauge().DataPoints().At(0)
		return fmt.Sprintf("{%s} %v", describeTags(p.Attributes().AsRaw()), p.DoubleValue())
	case pmetric.MetricTypeExponentialHistogram:
		p := m.ExponentialHistogram().DataPoints().At(0)
		return fmt.Sprintf("{%s} n%d %v", describeTags(p.Attributes().AsRaw()), p.Count(), p.Sum())
	}
	return " " + m.Type().String()
}

func describeTags(attributes map[string]any) string {
	var tags []string
	for _, key := range slices.Sorted(maps.Keys(attributes)) {
		tags = append(tags, fmt.Sprintf("%s=%v", key, attributes[key]))
	}
	return strings.Join(tags, " ")
}
