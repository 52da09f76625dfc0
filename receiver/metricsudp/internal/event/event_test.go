package event

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/goleak"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/series"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var received = time.Unix(1_700_000_000, 5)

// lineOf parses a text like a reader.
func lineOf(t testing.TB, text string) Line {
	t.Helper()
	var l line.Line
	require.Equal(t, line.OK, line.Parse([]byte(text), &l, &line.Limits{NameBytes: 100, TagBytes: 100, MinRate: 1}), text)
	return Line{Kind: l.Kind, Text: []byte(text), Received: received, Source: netip.MustParseAddr("10.0.0.7")}
}

func testBuilder(origin series.OriginMode) *Builder {
	b := &Builder{Resource: pcommon.NewResource(), ScopeName: "scope", ScopeVersion: "1", Origin: origin}
	b.Resource.Attributes().PutStr("service.name", "edge")
	return b
}

func TestRecords(t *testing.T) {
	for _, tt := range []struct {
		in         string
		name       string
		severity   plog.SeverityNumber
		text       string // of the severity
		body       string
		at         time.Time
		host       string
		attributes map[string]any
	}{
		{
			`_e{21,36}:An exception occurred|Cannot parse CSV file from 10.0.0.17|t:warning|#err_type:bad_file`, eventName,
			plog.SeverityNumberWarn, "warning", "Cannot parse CSV file from 10.0.0.17", received, "",
			map[string]any{
				eventTitle: "An exception occurred", eventPriority: "normal", eventAlertType: "warning", "err_type": "bad_file",
			},
		},
		{
			`_e{1,6}:t|a\nb|c|d:1656581400|h:web-1|k:key|p:low|s:nagios|t:error|#z:2,a:1,a:3,bare,:x|x:future|m:no text`, eventName,
			plog.SeverityNumberError, "error", "a\nb|c", time.Unix(1656581400, 0), "web-1",
			map[string]any{
				eventTitle: "t", eventPriority: "low", eventAlertType: "error", eventAggregationKey: "key", eventSourceType: "nagios",
				"a": "3", "z": "2", "bare": "",
			},
		},
		{
			"_e{1,0}:t||t:success|d:-1|d:x", eventName, plog.SeverityNumberInfo, "success", "", received, "", map[string]any{
				eventTitle: "t", eventPriority: "normal", eventAlertType: "success",
			},
		},
		{
			`_sc|Redis connection|2|#env:dev|m:Redis connection timed out after 10s`, checkName,
			plog.SeverityNumberError, "critical", "Redis connection timed out after 10s", received, "",
			map[string]any{
				checkNameKey: "Redis connection", checkStatus: "critical", "env": "dev",
			},
		},
		{
			`_sc|a|0|d:1656581400|h:db|m:x m\:y\nz|c:ci-1`, checkName, plog.SeverityNumberInfo, "ok", "x m:y\nz", time.Unix(1656581400, 0), "db",
			map[string]any{checkNameKey: "a", checkStatus: "ok"},
		},
		{"_sc|a|1", checkName, plog.SeverityNumberWarn, "warning", "", received, "", map[string]any{checkNameKey: "a", checkStatus: "warning"}},
		{"_sc|a|3", checkName, plog.SeverityNumberUnspecified, "unknown", "", received, "", map[string]any{checkNameKey: "a", checkStatus: "unknown"}},
		{
			"_e{2,2}:\xff\xfe|\xff\xfe|#\xff:\xfe", eventName, plog.SeverityNumberInfo, "info", "\uFFFD", received, "", map[string]any{
				eventTitle: "\uFFFD", eventPriority: "normal", eventAlertType: "info", "\uFFFD": "\uFFFD",
			},
		},
	} {
		logs := testBuilder(series.OriginNone).build([]Line{lineOf(t, tt.in)})
		require.Equal(t, 1, logs.LogRecordCount(), tt.in)
		resource := logs.ResourceLogs().At(0)
		want := map[string]any{"service.name": "edge"}
		if tt.host != "" {
			want[hostName] = tt.host
		}
		assert.Equal(t, want, resource.Resource().Attributes().AsRaw(), tt.in)
		assert.Equal(t, "scope", resource.ScopeLogs().At(0).Scope().Name())
		r := resource.ScopeLogs().At(0).LogRecords().At(0)
		assert.Equal(t, tt.name, r.EventName(), tt.in)
		assert.Equal(t, tt.severity, r.SeverityNumber(), tt.in)
		assert.Equal(t, tt.text, r.SeverityText(), tt.in)
		assert.Equal(t, tt.body, r.Body().AsString(), tt.in)
		assert.Equal(t, tt.at.UnixNano(), r.Timestamp().AsTime().UnixNano(), tt.in)
		assert.Equal(t, received.UnixNano(), r.ObservedTimestamp().AsTime().UnixNano(), tt.in)
		assert.Equal(t, tt.attributes, r.Attributes().AsRaw(), tt.in)
	}
}

// Records of one host and origin have one resource; others have their own.
func TestResources(t *testing.T) {
	const pod = "7e2a1b0c-0000-0000-0000-000000000001"
	lines := []Line{
		lineOf(t, "_sc|a|0|h:one"), lineOf(t, "_sc|b|0|h:two"), lineOf(t, "_sc|c|0|h:one"),
		lineOf(t, "_sc|d|0|c:ci-abc|e:pu-"+pod), lineOf(t, "_sc|e|0|#dd.internal.entity_id:"+pod), lineOf(t, "_sc|f|0|#dd.internal.entity_id:none|c:ci-abc"),
	}
	describe := func(origin series.OriginMode) (all []map[string]any) {
		logs := testBuilder(origin).build(lines)
		for _, r := range logs.ResourceLogs().All() {
			attributes := r.Resource().Attributes().AsRaw()
			delete(attributes, "service.name")
			attributes["records"] = r.ScopeLogs().At(0).LogRecords().Len()
			all = append(all, attributes)
		}
		return all
	}
	assert.Equal(t, []map[string]any{{hostName: "one", "records": 2}, {hostName: "two", "records": 1}, {"records": 3}}, describe(series.OriginNone))
	assert.Equal(t, []map[string]any{
		{hostName: "one", "client.address": "10.0.0.7", "records": 2},
		{hostName: "two", "client.address": "10.0.0.7", "records": 1},
		{"client.address": "10.0.0.7", "records": 3},
	}, describe(series.OriginIP))
	assert.Equal(t, []map[string]any{
		{hostName: "one", "records": 2},
		{hostName: "two", "records": 1},
		{"container.id": "abc", "k8s.pod.uid": pod, "records": 1},
		{"k8s.pod.uid": pod, "records": 1},
		{"records": 1},
	}, describe(series.OriginContainer))
}

func TestQueueIsBounded(t *testing.T) {
	q := NewQueue(3)
	for range 5 {
		q.Add(line.Event, []byte("_e{1,1}:a|b"), netip.Addr{})
	}
	assert.Equal(t, 3, q.Len())
	assert.Equal(t, uint64(2), q.ResetDropped())
	assert.Zero(t, q.ResetDropped())
	assert.Len(t, q.remove(2), 2)
	assert.Len(t, q.remove(2), 1)
	assert.Empty(t, q.remove(2))

	long := make([]byte, 60<<10)
	q = NewQueue(100_000)
	for range 1000 {
		q.Add(line.Event, long, netip.Addr{})
	}
	assert.Equal(t, maxQueueBytes/len(long), q.Len())
	q.remove(q.Len())
	q.Add(line.Event, long, netip.Addr{})
	assert.Equal(t, 1, q.Len(), "the room is there again")
}

func TestQueueKeepsACopy(t *testing.T) {
	q := NewQueue(1)
	text := []byte("_sc|a|0")
	q.Add(line.ServiceCheck, text, netip.Addr{})
	text[4] = 'b'
	assert.Equal(t, "_sc|a|0", string(q.remove(1)[0].Text))
}

// consumer is a pipeline with given answers.
type consumer struct {
	mu       sync.Mutex
	offered  int
	accepted []string // names of service checks
	answers  []error  // then nil
}

func (c *consumer) consume(_ context.Context, logs plog.Logs, _ int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offered++
	if len(c.answers) > 0 {
		err := c.answers[0]
		c.answers = c.answers[1:]
		if err != nil {
			return err
		}
	}
	for _, r := range logs.ResourceLogs().All() {
		for _, record := range r.ScopeLogs().At(0).LogRecords().All() {
			name, _ := record.Attributes().Get(checkNameKey)
			c.accepted = append(c.accepted, name.Str())
		}
	}
	return nil
}

var errPermanent = errors.New("permanent")

func newTestSender(q *Queue, consume func(context.Context, plog.Logs, int) error) *Sender {
	return NewSender(Options{
		Queue: q, Builder: testBuilder(series.OriginNone), Consume: consume,
		Retryable: func(err error) bool { return !errors.Is(err, errPermanent) }, Mutates: true, AbandonAfter: 100 * time.Millisecond,
	})
}

func add(q *Queue, names string) {
	for _, name := range strings.Split(names, "") {
		q.Add(line.ServiceCheck, []byte("_sc|"+name+"|0"), netip.Addr{})
	}
}

// A refused batch is offered again, unless it is refused for good. Close sends the rest.
func TestSenderRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &consumer{answers: []error{errors.New("busy"), errors.New("busy"), nil, errPermanent}}
		q := NewQueue(10)
		s := newTestSender(q, c.consume)
		add(q, "ab")
		go s.Run()
		time.Sleep(time.Second)
		synctest.Wait()
		assert.Equal(t, []string{"a", "b"}, c.accepted)
		add(q, "c") // refused for good
		synctest.Wait()
		add(q, "de")
		s.Close()
		require.NoError(t, s.Wait(context.Background()))
		assert.Equal(t, []string{"a", "b", "d", "e"}, c.accepted)
		assert.Equal(t, 5, c.offered)
	})
}

// Wait ends after its time even if the pipeline does not return, and its error has the number of the remaining records.
func TestSenderGivesUp(t *testing.T) {
	for name, hang := range map[string]func(ctx context.Context, forever <-chan struct{}) error{
		"refusing":            func(context.Context, <-chan struct{}) error { return errors.New("busy") },
		"hanging":             func(ctx context.Context, _ <-chan struct{}) error { <-ctx.Done(); return ctx.Err() },
		"deaf to its context": func(_ context.Context, forever <-chan struct{}) error { <-forever; return nil },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				forever := make(chan struct{})
				q := NewQueue(10)
				s := newTestSender(q, func(ctx context.Context, _ plog.Logs, _ int) error { return hang(ctx, forever) })
				go s.Run()
				add(q, "abc")
				synctest.Wait()
				add(q, "de")
				s.Close()
				ctx, cancel := context.WithTimeout(context.Background(), time.Second)
				defer cancel()
				began := time.Now()
				err := s.Wait(ctx)
				require.ErrorIs(t, err, ErrNotHandedOn)
				require.ErrorContains(t, err, "5")
				assert.LessOrEqual(t, time.Since(began), time.Second+100*time.Millisecond)
				close(forever)
			})
		})
	}
}

// FuzzRecord checks that no event and no service check that the grammar accepts panics.
func FuzzRecord(f *testing.F) {
	for _, s := range []string{
		"_e{5,4}:title|text|d:1|h:a|k:b|p:low|s:c|t:error|#a:b,c|c:ci-1|e:pu-1|card:low", "_sc|a|3|d:1|h:b|#c|m:d|x", "_e{1,0}:t|", "_sc|x|0|",
		"_e{01,1}:a|b|#dd.internal.entity_id:x", "_e{2,1}:\xff}|b",
	} {
		f.Add([]byte(s))
	}
	builder := testBuilder(series.OriginContainer)
	f.Fuzz(func(t *testing.T, b []byte) {
		var l line.Line
		if len(b) == 0 || line.Parse(b, &l, &line.Limits{NameBytes: 100, TagBytes: 100, MinRate: 1}) != line.OK {
			return
		}
		if l.Kind != line.Event && l.Kind != line.ServiceCheck {
			return
		}
		if logs := builder.build([]Line{{Kind: l.Kind, Text: b, Received: received}}); logs.LogRecordCount() != 1 {
			t.Fatalf("%q: %d records", b, logs.LogRecordCount())
		}
	})
}
