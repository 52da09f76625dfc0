package series

import (
	"hash/maphash"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/otelcol-custom/otelcol-custom/internal/budget"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
)

// Registry contains the series of all tables. A table calls it only for lines that the table does not know.
type Registry struct {
	options *Options
	// seed is random per process, so that a sender cannot construct lines whose hashes collide.
	seed maphash.Seed

	mu      sync.Mutex           // guards the fields down to swap
	series  map[seriesID]*Series // without overflow series
	origins map[string]*Origin   // by their key
	metrics map[metricID]*Metric
	all     []*Series // with overflow series
	swap    uint64    // number of the present epoch; only the flusher writes it, and reads it without mu

	budget      *budget.Budget
	aggregators *aggregators

	tables  atomic.Int64 // number of tables created
	aliases atomic.Int64 // cost of the aliases of all tables
}

type seriesID struct {
	origin *Origin
	key    string
}

type metricID struct {
	name string
	kind line.Kind
}

// OverflowKey is the attribute of an overflow series, which collects the values of series beyond the limit.
//
// https://opentelemetry.io/docs/specs/otel/metrics/sdk/#overflow-attribute
const OverflowKey = "otel.metric.overflow"

// maxOverflowMetrics bounds the number of metrics with an overflow series of their own. All further names of a kind share one
// overflow series with the name OverflowKey. Without it a flood of names would create series without bound.
const maxOverflowMetrics = 1000

// NewRegistry returns an empty registry.
func NewRegistry(o Options) *Registry {
	b := budget.New(o.MaxBytes)
	return &Registry{
		options:     &o,
		seed:        maphash.MakeSeed(),
		series:      map[seriesID]*Series{},
		origins:     map[string]*Origin{"": {}},
		metrics:     map[metricID]*Metric{},
		budget:      b,
		aggregators: newAggregators(&o, b),
	}
}

// Trim releases pooled memory that the last epochs did not need. The flusher calls it after all epochs are merged.
func (r *Registry) Trim() { r.aggregators.trim() }

// Options returns the settings of the registry and its tables.
func (r *Registry) Options() *Options { return r.options }

func (r *Registry) hash(l *line.Line) uint64 {
	h := maphash.Bytes(r.seed, l.Name) + uint64(l.Kind)
	if len(l.Tags) > 0 {
		// An odd factor keeps all bits of the name's hash, and makes the result depend on which text is the name.
		h = h*0x9E3779B97F4A7C15 ^ maphash.Bytes(r.seed, l.Tags)
	}
	if len(l.Origin) > 0 {
		// Another factor distinguishes the origin from the tags.
		h = h*0xBF58476D1CE4E5B9 ^ maphash.Bytes(r.seed, l.Origin)
	}
	return h
}

// resolve returns the series of an identity, or the overflow series of its metric if there is no room. It reports whether it
// created the series.
func (r *Registry) resolve(kind line.Kind, key []byte, nameLen int, origin []byte) (s *Series, created bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	from := r.origins[string(origin)]
	if from != nil {
		s = r.series[seriesID{from, string(key)}]
	}
	if s == nil {
		key := string(key)
		id := metricID{key[1 : 1+nameLen], kind}
		s = r.register(id, key, from, origin)
		if created = s != nil; !created {
			s = r.overflow(id)
		}
	}
	s.lastUsed.Store(r.swap)
	return s, created
}

// seriesBytes is the memory of a series and of its metric and name, since it may be the metric's first series. The readers'
// parts, histograms and members are not included.
func (r *Registry) seriesBytes(key, name string) int {
	const (
		structs = 192 + 64             // sizes of a Series with the largest value, and of Metric
		entries = 2 * (24 + 8 + 8 + 8) // entries of the maps and lists, at their least load
	)
	return structs + entries + len(key) + len(name) + 8*r.options.Tables
}

// partCharge is the memory of one reader's part, with its entries in both epochs' lists.
func partCharge(a aggregator) int { return 2*16 + a.partSize() }

// register adds a series, and its origin if from is nil. It returns nil if there is no room.
func (r *Registry) register(id metricID, key string, from *Origin, origin []byte) *Series {
	need := r.seriesBytes(key, id.name)
	if from == nil {
		need += originBytes(len(origin))
	}
	if len(r.series) >= r.options.MaxSeries || !r.budget.Reserve(need) {
		return nil
	}
	if from == nil {
		from = newOrigin(string(origin))
		r.origins[from.key] = from
	}
	from.series++
	s := r.newSeries(r.metric(id), from)
	s.key, s.tags = key, key[1+len(id.name)+1:]
	r.series[seriesID{from, key}] = s
	return s
}

func (r *Registry) newSeries(m *Metric, from *Origin) *Series {
	s := m.aggregator.newSeries()
	s.Metric, s.Origin, s.parts = m, from, make([]*part, r.options.Tables)
	m.series++
	r.all = append(r.all, s)
	return s
}

func (r *Registry) metric(id metricID) *Metric {
	m := r.metrics[id]
	if m == nil {
		id.name = strings.Clone(id.name) // otherwise the metric would keep the key of its first series in memory
		a := r.aggregators.forMetric(id)
		m = &Metric{Name: id.name, Kind: id.kind, Aggregation: a.aggregation(), aggregator: a}
		m.Monotonic = id.kind == line.Counter && r.options.isMonotonic([]byte(id.name))
		r.metrics[id] = m
	}
	return m
}

// overflowOf returns the overflow series for values of s for which the budget refused memory.
func (r *Registry) overflowOf(s *Series) *Series {
	r.mu.Lock()
	defer r.mu.Unlock()
	s = r.overflow(metricID{s.Metric.Name, s.Metric.Kind})
	s.lastUsed.Store(r.swap)
	return s
}

func (r *Registry) overflow(id metricID) *Series {
	m := r.metrics[id]
	if m != nil && m.overflow != nil {
		return m.overflow
	}
	if len(r.all)-len(r.series) >= maxOverflowMetrics {
		id.name = OverflowKey
	}
	m = r.metric(id)
	if m.overflow == nil {
		m.overflow = r.newSeries(m, r.origins[""])
		m.overflow.Overflow = true
	}
	return m.overflow
}

// reserveAliases reserves a cost of n. It reports false if the limit is reached. The limit is not divided among the tables: one
// client socket reaches one reader, so one busy table may need all of it.
func (r *Registry) reserveAliases(n int) bool {
	if r.aliases.Add(int64(n)) > int64(r.options.MaxAliases) {
		r.aliases.Add(-int64(n))
		return false
	}
	return true
}

func (r *Registry) releaseAliases(n int) { r.aliases.Add(-int64(n)) }

// Len returns the number of series, including overflow series.
func (r *Registry) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.all)
}
