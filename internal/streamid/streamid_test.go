package streamid

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

var hasher = New(42)

func attrs(t testing.TB, raw map[string]any) pcommon.Map {
	m := pcommon.NewMap()
	require.NoError(t, m.FromRaw(raw))
	return m
}

func TestDistinctAttributeSets(t *testing.T) {
	sets := []map[string]any{
		{},
		{"a": "bc"},
		{"ab": "c"},
		{"a": ""},
		{"": "a"},
		{"a": nil},
		{"a": "1"},
		{"a": int64(1)},
		{"a": 1.0},
		{"a": true},
		{"a": false},
		{"a": []byte("1")},
		{"a": []byte("10000000")},
		{"a": []byte("100000001")},
		{"a": []any{"1"}},
		{"a": []any{"1", "2"}},
		{"a": []any{"2", "1"}},
		{"a": []any{[]any{"1"}, "2"}},
		{"a": map[string]any{"1": "2"}},
		{"a": "b", "c": "d"},
		{"a": "d", "c": "b"},
		{"a": "c", "b": "d"},
	}
	seen := map[uint64]int{}
	for i, raw := range sets {
		id := hasher.Attributes(attrs(t, raw))
		j, dup := seen[id]
		require.Falsef(t, dup, "%v and %v have one identity", raw, sets[j%len(sets)])
		seen[id] = i
	}
}

func TestAttributeOrderDoesNotMatter(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		n := 1 + rng.IntN(12)
		a, b := pcommon.NewMap(), pcommon.NewMap()
		for i := range n {
			a.PutInt(fmt.Sprint("k", i), int64(i))
		}
		for _, i := range rng.Perm(n) {
			b.PutInt(fmt.Sprint("k", i), int64(i))
		}
		require.Equal(t, hasher.Attributes(a), hasher.Attributes(b))
		b.PutInt("k0", 99)
		require.NotEqual(t, hasher.Attributes(a), hasher.Attributes(b))
	}
}

func TestNestedMapOrderDoesNotMatter(t *testing.T) {
	a, b := pcommon.NewMap(), pcommon.NewMap()
	m := a.PutEmptyMap("m")
	m.PutStr("x", "1")
	m.PutStr("y", "2")
	m = b.PutEmptyMap("m")
	m.PutStr("y", "2")
	m.PutStr("x", "1")
	require.Equal(t, hasher.Attributes(a), hasher.Attributes(b))
}

func TestDeepNestingIsBounded(t *testing.T) {
	v := pcommon.NewValueSlice()
	inner := v.Slice()
	for range 10_000 {
		inner = inner.AppendEmpty().SetEmptySlice()
	}
	require.NotZero(t, hasher.Value(v))
}

// Streams that differ in one part of the identity have different hashes.
func TestDistinctStreams(t *testing.T) {
	identity := func(edit func(pcommon.Resource, pcommon.InstrumentationScope, pmetric.Metric, pcommon.Map)) uint64 {
		r, s, m, a := pcommon.NewResource(), pcommon.NewInstrumentationScope(), pmetric.NewMetric(), pcommon.NewMap()
		r.Attributes().PutStr("service.name", "orders")
		s.SetName("lib")
		m.SetName("requests")
		m.SetUnit("1")
		m.SetEmptySum().SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
		a.PutStr("route", "/")
		edit(r, s, m, a)
		scope := hasher.Scope(hasher.Resource(r), s)
		return hasher.Point(hasher.Combine(scope, hasher.Metric(m)), hasher.Attributes(a))
	}
	type edit = func(pcommon.Resource, pcommon.InstrumentationScope, pmetric.Metric, pcommon.Map)
	edits := map[string]edit{
		"none": func(pcommon.Resource, pcommon.InstrumentationScope, pmetric.Metric, pcommon.Map) {},
		"resource": func(r pcommon.Resource, _ pcommon.InstrumentationScope, _ pmetric.Metric, _ pcommon.Map) {
			r.Attributes().PutStr("pod", "1")
		},
		"scope name": func(_ pcommon.Resource, s pcommon.InstrumentationScope, _ pmetric.Metric, _ pcommon.Map) {
			s.SetName("x")
		},
		"scope version": func(_ pcommon.Resource, s pcommon.InstrumentationScope, _ pmetric.Metric, _ pcommon.Map) {
			s.SetVersion("2")
		},
		"scope attributes": func(_ pcommon.Resource, s pcommon.InstrumentationScope, _ pmetric.Metric, _ pcommon.Map) {
			s.Attributes().PutStr("pod", "1")
		},
		"name": func(_ pcommon.Resource, _ pcommon.InstrumentationScope, m pmetric.Metric, _ pcommon.Map) {
			m.SetName("x")
		},
		"unit": func(_ pcommon.Resource, _ pcommon.InstrumentationScope, m pmetric.Metric, _ pcommon.Map) {
			m.SetUnit("ms")
		},
		"monotonicity": func(_ pcommon.Resource, _ pcommon.InstrumentationScope, m pmetric.Metric, _ pcommon.Map) {
			m.Sum().SetIsMonotonic(true)
		},
		"temporality": func(_ pcommon.Resource, _ pcommon.InstrumentationScope, m pmetric.Metric, _ pcommon.Map) {
			m.Sum().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		},
		"gauge": func(_ pcommon.Resource, _ pcommon.InstrumentationScope, m pmetric.Metric, _ pcommon.Map) {
			m.SetEmptyGauge()
		},
		"summary": func(_ pcommon.Resource, _ pcommon.InstrumentationScope, m pmetric.Metric, _ pcommon.Map) {
			m.SetEmptySummary()
		},
		"histogram": func(_ pcommon.Resource, _ pcommon.InstrumentationScope, m pmetric.Metric, _ pcommon.Map) {
			m.SetEmptyHistogram()
		},
		"exponential histogram": func(_ pcommon.Resource, _ pcommon.InstrumentationScope, m pmetric.Metric, _ pcommon.Map) {
			m.SetEmptyExponentialHistogram()
		},
		"attributes": func(_ pcommon.Resource, _ pcommon.InstrumentationScope, _ pmetric.Metric, a pcommon.Map) {
			a.PutStr("pod", "1")
		},
	}
	seen := map[uint64]string{}
	for name, edit := range edits {
		id := identity(edit)
		other, dup := seen[id]
		require.Falsef(t, dup, "%s equals %s", name, other)
		seen[id] = name
	}
}

func TestSeedChangesIdentity(t *testing.T) {
	a, b, again := New(1), New(2), New(1)
	require.NotEqual(t, a.String("a"), b.String("a"))
	require.NotEqual(t, a.Value(pcommon.NewValueInt(1)), b.Value(pcommon.NewValueInt(1)))
	require.Equal(t, a.String("a"), again.String("a"))
}

// Collisions that a sender can compute without the seed are no collisions with it.
func TestConstructedCollisions(t *testing.T) {
	h := New(rand.Uint64())
	// A word that equals one of Combine's constants would make the product zero.
	constants := []uint64{0x6a09e667f3bcc909, 0xbb67ae8584caa73b}
	for _, c := range constants {
		var words []pcommon.Value
		for first := range uint64(2) {
			v := pcommon.NewValueBytes()
			for _, w := range []uint64{first, c} {
				v.Bytes().Append(binary.BigEndian.AppendUint64(nil, w)...)
			}
			words = append(words, v)
		}
		require.NotEqual(t, h.Value(words[0]), h.Value(words[1]), "%x", c)
	}
}

func TestNoCollisionsAmongAMillion(t *testing.T) {
	seen := make(map[uint64]struct{}, 1_000_000)
	m := pcommon.NewMap()
	m.PutInt("id", 0)
	v, _ := m.Get("id")
	for i := range int64(1_000_000) {
		v.SetInt(i)
		seen[hasher.Point(7, hasher.Attributes(m))] = struct{}{}
	}
	require.Len(t, seen, 1_000_000)
}

func TestAllocsIdentity(t *testing.T) {
	r, s, m := pcommon.NewResource(), pcommon.NewInstrumentationScope(), pmetric.NewMetric()
	r.Attributes().PutStr("service.name", "orders")
	m.SetEmptySum()
	a := attrs(t, map[string]any{"a": "b", "i": int64(1), "d": 2.5, "s": []any{"x", "y"}, "b": []byte("0123456789"), "m": map[string]any{"k": "v"}})
	var sink uint64
	allocs := testing.AllocsPerRun(1000, func() {
		scope := hasher.Scope(hasher.Resource(r), s)
		sink += hasher.Point(hasher.Combine(scope, hasher.Metric(m)), hasher.Attributes(a))
	})
	require.Zero(t, allocs)
	require.NotZero(t, sink)
}

func BenchmarkAttributes(b *testing.B) {
	for _, n := range []int{5, 15} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			m := pcommon.NewMap()
			for i := range n {
				m.PutStr(fmt.Sprint("attribute.", i), fmt.Sprint("value-", i))
			}
			b.ReportAllocs()
			var sink uint64
			for b.Loop() {
				sink += hasher.Attributes(m)
			}
			_ = sink
		})
	}
}
