package metricsudp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/DataDog/datadog-go/v5/statsd"
	cactus "github.com/cactus/go-statsd-client/v5/statsd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/socket"
)

// emitter sends the same interval twice. It uses real clients that are Go modules. For other clients it sends the lines that they
// write.
type emitter struct {
	name string
	env  map[string]string
	send func(t *testing.T, to *route) bool // false: the client does not know this route
	keys string                             // of the receiver, in YAML; "" leaves the defaults
	want []string                           // points of both intervals, by name
}

// route is a transport with its framing.
type route struct {
	name, transport, framing string
	secure                   bool

	addr  net.Addr
	roots *x509.CertPool
}

// routes are all transports with the framings that senders use.
var routes = []route{
	{name: "udp", transport: transportUDP},
	{name: "unixgram", transport: transportUnixgram},
	{name: "tcp", transport: transportTCP, framing: framingNewline},
	{name: "tls", transport: transportTCP, framing: framingNewline, secure: true},
	{name: "tcp, length", transport: transportTCP, framing: framingLength},
	{name: "unix", transport: transportUnix, framing: framingLength},
	{name: "unix, newline", transport: transportUnix, framing: framingNewline},
}

func twice(points ...string) (both []string) {
	for _, p := range points {
		both = append(both, p, p)
	}
	return both
}

// emitters is the table of docs/metricsudp/emitters.md.
func emitters() []emitter {
	negativeGauge := datadog(func(t *testing.T, c *statsd.Client) { require.NoError(t, c.Gauge("temp", -5, nil, 1)) })
	decrement := datadog(func(t *testing.T, c *statsd.Client) {
		require.NoError(t, c.Incr("sessions.open", nil, 1))
		require.NoError(t, c.Count("sessions.open", -2, nil, 1))
	})
	timing := datadog(func(t *testing.T, c *statsd.Client) {
		require.NoError(t, c.Timing("took", 1500*time.Millisecond, nil, 1))
		require.NoError(t, c.Histogram("size", 1500, nil, 1))
	})
	count := datadog(func(t *testing.T, c *statsd.Client) {
		require.NoError(t, c.Incr("page views", []string{"http.route:/"}, 1))
	})
	pod := map[string]string{"DD_ENTITY_ID": "01234567-89ab-cdef-0123-456789abcdef"}
	return []emitter{
		{"datadog-go, `Gauge(-5)`", nil, negativeGauge, "", []string{"temp{} -5", "temp{} -10"}},
		{"datadog-go, `Gauge(-5)`", nil, negativeGauge, "gauges: {signed: interval}", twice("temp{} -5")},
		{"datadog-go, `Gauge(-5)`", nil, negativeGauge, "gauges: {signed: absolute}", twice("temp{} -5")},
		{"datadog-go, a decrement", nil, decrement, "", nil}, // aggregated in the client: -1
		{"datadog-go, a decrement", nil, decrement, `counters: {non_monotonic: ["sessions\\..*"]}`, twice("sessions.open{} -1 not monotonic")},
		{"datadog-go, `Timing(1.5s)`", nil, timing, "", twice("size{} n1 1500", "took[ms]{} n1 1500")},
		{"datadog-go, `Timing(1.5s)`", nil, timing, "timer_unit: s", twice("size{} n1 1500", "took[s]{} n1 1.5")},
		{"datadog-go, a name with a blank", nil, count, "", twice("page views{http.route=/} 1")},
		{"datadog-go, a name with a blank", nil, count, "name_cleaning: etsy", twice("page_views{http.route=/} 1")},
		{"datadog-go, a name with a blank", nil, count, "name_cleaning: prometheus", twice("page_views{http_route=/} 1")},
		{"datadog-go with `DD_ENTITY_ID`", pod, count, "", twice("page views{http.route=/} 1")},
		{"datadog-go with `DD_ENTITY_ID`", pod, count, "origin: container", twice("page views{http.route=/} 1 of container.id=" + datadogContainer + " of k8s.pod.uid=01234567-89ab-cdef-0123-456789abcdef")},

		{"go-statsd-client", nil, cactusCalls, "", []string{"level{} -2", "level{} -4", "took[ms]{} n1 1500", "took[ms]{} n1 1500"}},
		{"go-statsd-client", nil, cactusCalls, "{gauges: {signed: interval}, is_monotonic_counter: false, timer_unit: s}", twice("level{} -2", "sessions{} -1 not monotonic", "took[s]{} n1 1.5")},

		{"etsy's examples, blanks: `gorets : 1\\|c`", nil, lines("gorets : 1|c\nglork: 320 |ms"), "", twice("glork[ms]{} n1 320", "gorets{} 1")},
		{"PHP, `hits:1\\|c\\|##a:1,#b:2`", nil, lines("hits:1|c|##a:1,#b:2"), "", twice("hits{a=1 b=2} 1")},
		{"go-kit's dogstatsd, `temp:-5.000000\\|g`", nil, lines("temp:-5.000000|g"), "gauges: {signed: absolute}", twice("temp{} -5")},
		{"Java, `hits:1\\|c\\|c:cid-0123456789abcdef`", nil, lines("hits:1|c|c:cid-0123456789abcdef"), "origin: container", twice("hits{} 1 of container.id=0123456789abcdef")},
		{"several types in a line, `hits:1\\|c\\|:2\\|c`, then `hits:5\\|c`", nil, lines("hits:1|c|:2|c\nhits:5|c"), "", twice("hits{} 5")},

		{"Telegraf, `users,host=a:1\\|c`", nil, lines("users,host=a:1|c"), "", twice("users,host=a{} 1")},
		{"Telegraf, `users,host=a:1\\|c`", nil, lines("users,host=a:1|c"), "tag_formats: [influx]", twice("users{host=a} 1")},
		{"Librato, `users#host=a:1\\|c`", nil, lines("users#host=a:1|c"), "", twice("users#host=a{} 1")},
		{"Librato, `users#host=a:1\\|c`", nil, lines("users#host=a:1|c"), "tag_formats: [librato]", twice("users{host=a} 1")},
		{"SignalFx, `users[host=a].all:1:2\\|ms`", nil, lines("users[host=a].all:1:2|ms"), "", twice("users[host=a].all[ms]{} n2 3")},
		{"SignalFx, `users[host=a].all:1:2\\|ms`", nil, lines("users[host=a].all:1:2|ms"), "tag_formats: [signalfx]", twice("users.all[ms]{host=a} n2 3")},
		{"Graphite tags, `users;url=h:80:1\\|c`", nil, lines("users;url=h:80:1|c"), "", twice("users;url=h{} 81")},
		{"Graphite tags, `users;url=h:80:1\\|c`", nil, lines("users;url=h:80:1|c"), "tag_formats: [graphite]", twice("users{url=h:80} 1")},
		{"gostats (Lyft), `users.__host=a.__dc=b:1\\|c`", nil, lines("users.__host=a.__dc=b:1|c"), "", twice("users.__host=a.__dc=b{} 1")},
		{"gostats (Lyft), `users.__host=a.__dc=b:1\\|c`", nil, lines("users.__host=a.__dc=b:1|c"), "tag_formats: [lyft]", twice("users{dc=b host=a} 1")},
		{"two dialects at one port", nil, lines("users,host=a:1|c\nvisits:1|c|#host:a"), "tag_formats: [dogstatsd, influx]", twice("users{host=a} 1", "visits{host=a} 1")},
	}
}

// TestEmittersWithEachOption shows what the key of an option changes for the clients that need it, over each transport
// that they know. Its table is that of the page.
func TestEmittersWithEachOption(t *testing.T) {
	var table strings.Builder
	table.WriteString("| sender | over | keys | two intervals |\n|---|---|---|---|\n")
	for _, tt := range emitters() {
		var over []string
		for _, to := range routes {
			t.Run(tt.name+" "+tt.keys+" over "+to.name, func(t *testing.T) {
				if tt.run(t, to) {
					over = append(over, to.name)
				}
			})
		}
		keys := "none"
		if tt.keys != "" {
			keys = "`" + tt.keys + "`"
		}
		points := "none, refused as `negative_counter`"
		if tt.want != nil {
			points = "`" + strings.Join(tt.want, "`, `") + "`"
		}
		where := strings.Join(over, "; ")
		if len(over) == len(routes) {
			where = "all"
		}
		fmt.Fprintf(&table, "| %s | %s | %s | %s |\n", tt.name, where, keys, points)
	}
	if !socket.HasUnix {
		return // the page is of a system that has all transports
	}
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "metricsudp", "emitters.md"))
	require.NoError(t, err)
	assert.Contains(t, string(page), table.String())
}

func (e *emitter) run(t *testing.T, to route) (known bool) {
	for key, value := range e.env {
		t.Setenv(key, value)
	}
	sink := new(consumertest.MetricsSink)
	keys := map[string]any{"transport": to.transport}
	if to.framing != "" {
		keys["framing"] = to.framing
	}
	if to.secure {
		var certFile, keyFile string
		certFile, keyFile, to.roots = certificate(t)
		keys["tls"] = map[string]any{"cert_file": certFile, "key_file": keyFile}
	}
	r := start(t, sink, func(c *Config) {
		retrieved, err := confmap.NewRetrievedFromYAML([]byte(e.keys))
		require.NoError(t, err)
		conf := confmap.New()
		if e.keys != "" {
			conf, err = retrieved.AsConf()
			require.NoError(t, err)
		}
		require.NoError(t, conf.Merge(confmap.NewFromStringMap(keys)))
		require.NoError(t, conf.Unmarshal(c))
		// No series expires, even if many flushes take place until all lines are read.
		c.AggregationInterval, c.SeriesExpiry = minInterval, maxExpiry
		if c.isUnix() {
			if !socket.HasUnix {
				t.Skip("no Unix sockets on this system")
			}
			c.Endpoint = filepath.Join(socketDir(t), "s")
		}
	})
	to.addr = r.addr()
	if !e.send(t, &to) {
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
	e.send(t, &to)
	flushUntil(len(e.want))
	require.NoError(t, r.Shutdown(context.Background()))
	return assert.Equal(t, e.want, describePoints(sink.AllMetrics()))
}

func datadog(calls func(*testing.T, *statsd.Client)) func(*testing.T, *route) bool {
	schemes := map[string]string{"udp": "", "unixgram": "unixgram://", "unix": "unixstream://"}
	return func(t *testing.T, to *route) bool {
		scheme, ok := schemes[to.name]
		if !ok {
			return false
		}
		c, err := statsd.New(scheme+to.addr.String(), statsd.WithoutTelemetry(), statsd.WithContainerID("ci-"+datadogContainer))
		require.NoError(t, err)
		calls(t, c)
		require.NoError(t, c.Close())
		return true
	}
}

func cactusCalls(t *testing.T, to *route) bool {
	if to.transport != transportUDP {
		return false
	}
	c, err := cactus.NewClientWithConfig(&cactus.ClientConfig{Address: to.addr.String()})
	require.NoError(t, err)
	require.NoError(t, c.GaugeDelta("level", -2, 1))
	require.NoError(t, c.Dec("sessions", 1, 1))
	require.NoError(t, c.TimingDuration("took", 1500*time.Millisecond, 1))
	require.NoError(t, c.Close())
	return true
}

func lines(text string) func(*testing.T, *route) bool {
	return func(t *testing.T, to *route) bool {
		c := to.dial(t)
		payload := []byte(text)
		if to.framing == framingLength {
			payload = append(binary.LittleEndian.AppendUint32(nil, uint32(len(text))), text...)
		}
		_, err := c.Write(payload)
		require.NoError(t, err)
		require.NoError(t, c.Close())
		return true
	}
}

func (to *route) dial(t *testing.T) net.Conn {
	var c net.Conn
	var err error
	if to.secure {
		c, err = tls.Dial("tcp", to.addr.String(), &tls.Config{RootCAs: to.roots, MinVersion: tls.VersionTLS12})
	} else {
		c, err = net.Dial(to.addr.Network(), to.addr.String())
	}
	require.NoError(t, err)
	return c
}

// describePoints returns the points of all batches as text, ordered by name and then by time.
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

// describePoint returns the only point of a metric as text.
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
