package cardinalitylimit

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor"

	"github.com/otelcol-custom/otelcol-custom/internal/harness"
	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/metadatatest"
)

// factoryAt makes processors whose time is that of clock and whose random numbers are fixed.
func factoryAt(clock *harness.Clock) *factory {
	rng := rand.New(rand.NewPCG(1, 3))
	var mu sync.Mutex
	return &factory{processorNames: newProcessorNames(), now: clock.Now, random: func(n uint64) uint64 {
		mu.Lock()
		defer mu.Unlock()
		return rng.Uint64N(n)
	}}
}

// sink stores copies of the batches, or refuses them with err.
type sink struct {
	mu       sync.Mutex
	err      error
	batches  []pmetric.Metrics
	metadata []client.Metadata
}

func (s *sink) Capabilities() consumer.Capabilities { return consumer.Capabilities{MutatesData: true} }

func (s *sink) ConsumeMetrics(ctx context.Context, md pmetric.Metrics) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	c := pmetric.NewMetrics()
	md.CopyTo(c)
	s.batches = append(s.batches, c)
	s.metadata = append(s.metadata, client.FromContext(ctx).Metadata)
	return nil
}

func (s *sink) refuse(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// drain returns the batches since the last call.
func (s *sink) drain() []pmetric.Metrics {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.batches
	s.batches = nil
	return b
}

// rig is a processor between a test and a sink. The flush interval is longer than any test, so tests flush explicitly.
type rig struct {
	*limiter
	t     testing.TB
	clock *harness.Clock
	sink  *sink
	tel   *componenttest.Telemetry
}

func config(edit func(*Config)) *Config {
	cfg := createDefaultConfig().(*Config)
	cfg.InstanceID = "gateway"
	cfg.Admission.ContestedAt = 1 // tests of admission set it
	cfg.Reaggregate.FlushInterval = 24 * time.Hour
	if edit != nil {
		edit(cfg)
	}
	return cfg
}

func limitOf(maxSeries int, action string, key ...string) LimitConfig {
	l := defaultLimit
	l.Name, l.Key, l.MaxSeries, l.Action = "l", key, maxSeries, action
	return l
}

func newRig(t testing.TB, edit func(*Config)) *rig {
	r := startRig(t, harness.NewClock(), componenttest.NewNopHost(), edit)
	t.Cleanup(func() { require.NoError(t, r.stop()) })
	return r
}

// startRig runs a processor whose time is that of clock. The caller must stop it.
func startRig(t testing.TB, clock *harness.Clock, host component.Host, edit func(*Config)) *rig {
	cfg := config(edit)
	require.NoError(t, cfg.Validate())
	r := &rig{t: t, clock: clock, sink: &sink{}, tel: componenttest.NewTelemetry()}
	f := factoryAt(clock)
	settings := settingsOf(r.tel, "")
	p, err := f.createMetrics(context.Background(), settings, cfg, r.sink)
	require.NoError(t, err)
	r.limiter = p.(*limiter)
	require.NoError(t, p.Start(context.Background(), host))
	return r
}

func (r *rig) stop() error {
	return errors.Join(r.Shutdown(context.Background()), r.tel.Shutdown(context.Background()))
}

func (r *rig) send(md pmetric.Metrics) {
	r.t.Helper()
	require.NoError(r.t, r.ConsumeMetrics(context.Background(), md))
}

// flushed returns the points that one flush sends.
func (r *rig) flushed() []observation {
	r.t.Helper()
	before := r.sink.drain()
	require.Empty(r.t, before, "take what passed first")
	require.NoError(r.t, r.flush(context.Background(), false))
	return observe(r.sink.drain()...)
}

// counter returns the value of one of the processor's own metrics for the labels, given as name, value pairs. It returns 0 if
// the metric does not exist.
func (r *rig) counter(name string, labels ...string) int64 {
	if r.limiter != nil {
		r.measure()
	}
	return harness.Sum(r.t, r.tel.Reader, "otelcol_processor_cardinalitylimit_"+name, labels...)
}

// observation is a number point with its metric, scope and resource.
type observation struct {
	resource, attributes map[string]any
	scope, name          string
	value                int64
	start, time          time.Time
	stale                bool
}

func observe(batches ...pmetric.Metrics) (out []observation) {
	for _, md := range batches {
		for _, rm := range md.ResourceMetrics().All() {
			for _, sm := range rm.ScopeMetrics().All() {
				for _, m := range sm.Metrics().All() {
					for _, p := range numberPoints(m).All() {
						v := p.IntValue()
						if p.ValueType() == pmetric.NumberDataPointValueTypeDouble {
							v = int64(p.DoubleValue())
						}
						out = append(out, observation{
							rm.Resource().Attributes().AsRaw(), p.Attributes().AsRaw(), sm.Scope().Name(), m.Name(),
							v, p.StartTimestamp().AsTime(), p.Timestamp().AsTime(), p.Flags().NoRecordedValue(),
						})
					}
				}
			}
		}
	}
	return out
}

func numberPoints(m pmetric.Metric) pmetric.NumberDataPointSlice {
	switch m.Type() {
	case pmetric.MetricTypeSum:
		return m.Sum().DataPoints()
	case pmetric.MetricTypeGauge:
		return m.Gauge().DataPoints()
	default:
		return pmetric.NewNumberDataPointSlice()
	}
}

// batch builds metrics for one service.
type batch struct {
	md pmetric.Metrics
	sm pmetric.ScopeMetrics
}

func newBatch(service string, resource ...string) *batch {
	b := &batch{md: pmetric.NewMetrics()}
	rm := b.md.ResourceMetrics().AppendEmpty()
	rm.Resource().Attributes().PutStr("service.name", service)
	for i := 0; i < len(resource); i += 2 {
		rm.Resource().Attributes().PutStr(resource[i], resource[i+1])
	}
	b.sm = rm.ScopeMetrics().AppendEmpty()
	b.sm.Scope().SetName("app")
	return b
}

const (
	delta      = pmetric.AggregationTemporalityDelta
	cumulative = pmetric.AggregationTemporalityCumulative
)

func (b *batch) sum(name string, t pmetric.AggregationTemporality, monotonic bool) pmetric.NumberDataPointSlice {
	m := b.sm.Metrics().AppendEmpty()
	m.SetName(name)
	m.SetEmptySum().SetAggregationTemporality(t)
	m.Sum().SetIsMonotonic(monotonic)
	return m.Sum().DataPoints()
}

func (b *batch) gauge(name string) pmetric.NumberDataPointSlice {
	m := b.sm.Metrics().AppendEmpty()
	m.SetName(name)
	return m.SetEmptyGauge().DataPoints()
}

// put appends an integer point; attributes are name, value pairs.
func put(s pmetric.NumberDataPointSlice, value int64, start, at time.Time, attributes ...string) pmetric.NumberDataPoint {
	p := s.AppendEmpty()
	p.SetIntValue(value)
	label(p, start, at, attributes)
	return p
}

func label(p interface {
	Attributes() pcommon.Map
	SetTimestamp(pcommon.Timestamp)
	SetStartTimestamp(pcommon.Timestamp)
}, start, at time.Time, attributes []string,
) {
	p.SetStartTimestamp(pcommon.NewTimestampFromTime(start))
	p.SetTimestamp(pcommon.NewTimestampFromTime(at))
	for i := 0; i < len(attributes); i += 2 {
		p.Attributes().PutStr(attributes[i], attributes[i+1])
	}
}

// settingsOf gives a processor a name behind its type.
func settingsOf(tel *componenttest.Telemetry, name string) processor.Settings {
	s := metadatatest.NewSettings(tel)
	s.ID = component.NewIDWithName(s.ID.Type(), name)
	return s
}

var overflowOnly = map[string]any{"otel.metric.overflow": true}
