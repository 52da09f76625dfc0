package oversize

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

var limits = Limits{MaxCount: 4, MaxNameBytes: 32, MaxValueBytes: 64, MaxDepth: 3, MaxBuckets: 10}

// cut returns what becomes of the value of one attribute of a resource.
func cut(t *testing.T, l Limits, fill func(pcommon.Value)) (v pcommon.Value, counts Counts) {
	t.Helper()
	rm := pmetric.NewResourceMetrics()
	fill(rm.Resource().Attributes().PutEmpty("a"))
	c := Cutter{Limits: l}
	r := c.ResourceMetrics(rm)
	v, ok := r.Attributes().Get("a")
	require.True(t, ok)
	return v, c.Counts
}

func text(s string) func(pcommon.Value) { return func(v pcommon.Value) { v.SetStr(s) } }

// lists nests a value in so many lists.
func lists(depth int, leaf func(pcommon.Value)) func(pcommon.Value) {
	return func(v pcommon.Value) {
		for range depth {
			v = v.SetEmptySlice().AppendEmpty()
		}
		leaf(v)
	}
}

// maps nests a value in so many maps.
func maps(depth int, leaf func(pcommon.Value)) func(pcommon.Value) {
	return func(v pcommon.Value) {
		for range depth {
			v = v.SetEmptyMap().PutEmpty("k")
		}
		leaf(v)
	}
}

func list(n int, item func(i int, v pcommon.Value)) func(pcommon.Value) {
	return func(v pcommon.Value) {
		s := v.SetEmptySlice()
		for i := range n {
			item(i, s.AppendEmpty())
		}
	}
}

func TestValuesOverTheirBound(t *testing.T) {
	for name, c := range map[string]struct {
		value func(pcommon.Value)
		kind  Kind
		start string
	}{
		"text":               {text(strings.Repeat("x", 65)), Value, "xxxx"},
		"text of a megabyte": {text(strings.Repeat("x", 1<<20)), Value, "xxxx"},
		"runes":              {text(strings.Repeat("é", 33)), Value, "éééé"},
		"no UTF-8":           {text(strings.Repeat("\xff", 65)), Value, "~"},
		"bytes":              {func(v pcommon.Value) { v.SetEmptyBytes().FromRaw(make([]byte, 65)) }, Value, "AAAA"},
		"list of texts":      {list(2, func(_ int, v pcommon.Value) { v.SetStr(strings.Repeat("x", 40)) }), Value, `["xxxx`},
		"list of numbers":    {list(1<<16, func(i int, v pcommon.Value) { v.SetInt(int64(i)) }), Value, "[0,1,2,3"},
		"list of nothing":    {list(1<<16, func(int, pcommon.Value) {}), Value, "[null,null"},
		"list of lists":      {list(1<<16, func(_ int, v pcommon.Value) { v.SetEmptySlice() }), Value, "[[],[]"},
		"text in a list":     {lists(1, text(strings.Repeat("x", 1<<20))), Value, `["xxxx`},
		"bytes in a map": {
			maps(2, func(v pcommon.Value) { v.SetEmptyBytes().FromRaw(make([]byte, 1<<20)) }),
			Value, `{"k":{"k":"AAAA`,
		},
		"long name in a map": {
			func(v pcommon.Value) { v.SetEmptyMap().PutInt(strings.Repeat("n", 1<<20), 1) }, Value, `{"nnnn`,
		},
		"deep lists":               {lists(4, text("x")), Depth, "[[["},
		"deep maps":                {maps(4, text("x")), Depth, `{"k":{"k":{`},
		"a million lists":          {lists(1_000_000, text("x")), Depth, "[[["},
		"a hundred thousand maps":  {maps(100_000, text("x")), Depth, `{"k":{"k":{`},
		"deep behind what is long": {list(3, func(_ int, v pcommon.Value) { lists(9, text("x"))(v) }), Depth, "[[["},
	} {
		t.Run(name, func(t *testing.T) {
			v, counts := cut(t, limits, c.value)
			require.Equal(t, pcommon.ValueTypeStr, v.Type())
			assert.LessOrEqual(t, len(v.Str()), limits.MaxValueBytes)
			assert.True(t, utf8.ValidString(v.Str()))
			assert.True(t, strings.HasPrefix(v.Str(), c.start), v.Str())
			assert.Equal(t, byte('~'), v.Str()[len(v.Str())-SuffixBytes])
			want := Counts{}
			want[c.kind] = 1
			assert.Equal(t, want, counts)
		})
	}
}

func TestValuesWithinTheirBound(t *testing.T) {
	for name, value := range map[string]func(pcommon.Value){
		"text":   text(strings.Repeat("x", 64)),
		"bytes":  func(v pcommon.Value) { v.SetEmptyBytes().FromRaw(make([]byte, 64)) },
		"number": func(v pcommon.Value) { v.SetDouble(1) },
		"empty":  func(pcommon.Value) {},
		"lists":  lists(3, text("x")),
		"maps":   maps(3, text("x")),
		"list":   list(6, func(i int, v pcommon.Value) { v.SetInt(int64(i)) }),
	} {
		t.Run(name, func(t *testing.T) {
			v, counts := cut(t, limits, value)
			want := pcommon.NewValueEmpty()
			value(want)
			assert.True(t, v.Equal(want))
			assert.Equal(t, Counts{}, counts)
		})
	}
}

// Different values are cut to different texts. Equal values are cut to the same text, even if their names are in another
// order.
func TestDistinctValuesStayDistinct(t *testing.T) {
	long := strings.Repeat("x", 100)
	pair := func(first, second string) func(pcommon.Value) {
		return func(v pcommon.Value) {
			m := v.SetEmptyMap()
			m.PutStr(first, long)
			m.PutStr(second, long)
		}
	}
	values := []func(pcommon.Value){
		text(long),
		lists(1, text(long)), lists(2, text(long)), maps(1, text(long)), maps(2, text(long)),
		lists(100, text("x")), lists(101, text("x")), lists(100, text("y")), lists(100, func(v pcommon.Value) { v.SetInt(1) }),
		lists(100, func(v pcommon.Value) { v.SetEmptySlice() }), lists(100, func(v pcommon.Value) { v.SetEmptyMap() }),
		list(100, func(i int, v pcommon.Value) { v.SetInt(int64(i)) }),
		list(100, func(i int, v pcommon.Value) { v.SetInt(int64(99 - i)) }),
		list(100, func(i int, v pcommon.Value) { v.SetDouble(float64(i)) }),
		list(101, func(i int, v pcommon.Value) { v.SetInt(int64(i)) }),
		pair("a", "b"), pair("a", "c"),
	}
	for i := range 1_000 {
		values = append(values, text(fmt.Sprint(long, i)))
	}
	seen := make(map[string]int)
	for i, value := range values {
		v, _ := cut(t, limits, value)
		if other, twice := seen[v.Str()]; twice {
			t.Errorf("values %d and %d are both %s", other, i, v.Str())
		}
		seen[v.Str()] = i
	}
	one, _ := cut(t, limits, pair("a", "b"))
	other, _ := cut(t, limits, pair("b", "a"))
	assert.Equal(t, one.Str(), other.Str())
}

// A value is cut to the same text in every release and in every gateway.
func TestCutTextsAreTheSameEverywhere(t *testing.T) {
	v, _ := cut(t, limits, text(strings.Repeat("x", 100)))
	assert.Equal(t, strings.Repeat("x", 52)+"~WWhOvvcrJ_Y", v.Str())
}

func TestLimitsThatAreOff(t *testing.T) {
	deep := func(v pcommon.Value) { lists(1_000, text(strings.Repeat("x", 10_000)))(v) }
	_, counts := cut(t, Limits{}, deep)
	assert.Equal(t, Counts{}, counts)
	_, counts = cut(t, Limits{MaxDepth: 1_000}, deep)
	assert.Equal(t, Counts{}, counts)
	v, counts := cut(t, Limits{MaxDepth: 999}, deep)
	assert.Equal(t, Counts{Depth: 1}, counts)
	assert.Less(t, len(v.Str()), 200)
	_, counts = cut(t, Limits{MaxValueBytes: 20_000}, deep)
	assert.Equal(t, Counts{}, counts)
	_, counts = cut(t, Limits{MaxValueBytes: 1 << 20}, lists(1_000_000, text("x")))
	assert.Equal(t, Counts{Value: 1}, counts)

	off := Cutter{}
	m := pmetric.NewMetric()
	m.SetName(strings.Repeat("n", 1<<20))
	assert.True(t, off.Metric(m, 1))
	assert.True(t, off.Buckets(1_000_000))
	many := pcommon.NewMap()
	for i := range 1_000 {
		many.PutInt(fmt.Sprint(i), 0)
	}
	_, ok := off.Point(many)
	assert.True(t, ok)
	assert.Equal(t, 1_000, many.Len())
	assert.Equal(t, Counts{}, off.Counts)
}

func TestExcessAttributesGoByName(t *testing.T) {
	for _, copied := range []bool{false, true} {
		rm := pmetric.NewResourceMetrics()
		for _, name := range []string{"f", "b", "e", "a", "d", "c"} {
			rm.Resource().Attributes().PutStr(name, name)
		}
		c := Cutter{Limits: limits, Copy: copied}
		r := c.ResourceMetrics(rm)
		assert.Equal(t, map[string]any{"a": "a", "b": "b", "c": "c", "d": "d"}, r.Attributes().AsRaw())
		assert.Equal(t, Counts{Attributes: 2}, c.Counts)
		if copied {
			assert.Equal(t, 6, rm.Resource().Attributes().Len())
		} else {
			assert.Equal(t, 4, rm.Resource().Attributes().Len())
		}
	}
}

func TestNamesAreCut(t *testing.T) {
	long := strings.Repeat("n", 100)
	for _, copied := range []bool{false, true} {
		rm := pmetric.NewResourceMetrics()
		rm.Resource().Attributes().PutStr(long+"1", strings.Repeat("x", 100))
		rm.Resource().Attributes().PutStr(long+"2", "2")
		rm.Resource().Attributes().PutStr("b", "b")
		c := Cutter{Limits: limits, Copy: copied}
		m := c.ResourceMetrics(rm).Attributes()
		assert.Equal(t, 3, m.Len())
		assert.Equal(t, Counts{Name: 2, Value: 1}, c.Counts)
		for name, v := range m.All() {
			assert.LessOrEqual(t, len(name), limits.MaxNameBytes)
			assert.LessOrEqual(t, len(v.Str()), limits.MaxValueBytes)
		}
		_, same := rm.Resource().Attributes().Get(long + "2")
		assert.Equal(t, copied, same)
	}
}

// The time for a request of the largest size that receivers accept is proportional to its size.
func TestManyLongNames(t *testing.T) {
	raw := make(map[string]any)
	for i := range 100_000 {
		raw[fmt.Sprint(strings.Repeat("n", 40), i)] = i
	}
	rm := pmetric.NewResourceMetrics()
	require.NoError(t, rm.Resource().Attributes().FromRaw(raw))
	c := Cutter{Limits: Limits{MaxNameBytes: 32}}
	assert.Equal(t, 100_000, c.ResourceMetrics(rm).Attributes().Len())
	assert.Equal(t, Counts{Name: 100_000}, c.Counts)
}

func TestPointsThatAreRefused(t *testing.T) {
	c := Cutter{Limits: limits}
	long := pcommon.NewMap()
	long.PutStr(strings.Repeat("n", 33), "")
	_, ok := c.Point(long)
	assert.False(t, ok)
	many := pcommon.NewMap()
	for i := range 5 {
		many.PutInt(fmt.Sprint(i), 0)
	}
	_, ok = c.Point(many)
	assert.False(t, ok)
	assert.True(t, c.Buckets(10))
	assert.False(t, c.Buckets(11))
	named := pmetric.NewMetric()
	named.SetName(strings.Repeat("n", 33))
	assert.False(t, c.Metric(named, 7))
	assert.Equal(t, Counts{PointName: 8, PointAttributes: 1, PointBuckets: 1}, c.Counts)
	assert.Equal(t, Example{PointName, strings.Repeat("n", 33)}, c.Example)
	assert.Equal(t, 5, many.Len())
}

// Every text that a sender chooses is bounded.
func TestTextsOfMetricAndScope(t *testing.T) {
	name, value := strings.Repeat("n", 100), strings.Repeat("v", 100)
	rm := pmetric.NewResourceMetrics()
	rm.SetSchemaUrl(value)
	sm := rm.ScopeMetrics().AppendEmpty()
	sm.SetSchemaUrl(value)
	sm.Scope().SetName(name)
	sm.Scope().SetVersion(name)
	sm.Scope().Attributes().PutStr("a", value)
	m := sm.Metrics().AppendEmpty()
	m.SetUnit(name)
	m.SetDescription(value)
	m.Metadata().PutStr("a", value)
	e := m.SetEmptySum().DataPoints().AppendEmpty().Exemplars()
	for i := range 6 {
		e.AppendEmpty().FilteredAttributes().PutStr("a", value)
		for k := range 5 {
			e.At(i).FilteredAttributes().PutStr(fmt.Sprint("b", k), "")
		}
	}
	for _, copied := range []bool{true, false} {
		c := Cutter{Limits: limits, Copy: copied}
		c.ResourceMetrics(rm)
		scope := c.ScopeMetrics(sm)
		a, _ := scope.Attributes().Get("a")
		assert.Len(t, a.Str(), limits.MaxValueBytes)
		require.True(t, c.Metric(m, 1))
		c.Exemplars(e)
		assert.Equal(t, Counts{Name: 3, Value: 3 + 2 + 6, Attributes: 12}, c.Counts)
		if copied {
			assert.Equal(t, value, m.Description())
		}
	}
	assert.Len(t, rm.SchemaUrl(), limits.MaxValueBytes)
	assert.Len(t, sm.SchemaUrl(), limits.MaxValueBytes)
	assert.Len(t, sm.Scope().Name(), limits.MaxNameBytes)
	assert.Len(t, sm.Scope().Version(), limits.MaxNameBytes)
	assert.Len(t, m.Unit(), limits.MaxNameBytes)
	assert.Len(t, m.Description(), limits.MaxValueBytes)
	v, _ := m.Metadata().Get("a")
	assert.Len(t, v.Str(), limits.MaxValueBytes)
	v, _ = e.At(5).FilteredAttributes().Get("a")
	assert.Len(t, v.Str(), limits.MaxValueBytes)
	assert.Equal(t, 4, e.At(5).FilteredAttributes().Len())
}

func TestAllocsWithinTheLimits(t *testing.T) {
	rm := pmetric.NewResourceMetrics()
	rm.Resource().Attributes().PutStr("a", "a")
	lists(2, text("x"))(rm.Resource().Attributes().PutEmpty("b"))
	maps(2, text("x"))(rm.Resource().Attributes().PutEmpty("c"))
	sm := rm.ScopeMetrics().AppendEmpty()
	m := sm.Metrics().AppendEmpty()
	p := m.SetEmptySum().DataPoints().AppendEmpty()
	rm.Resource().Attributes().CopyTo(p.Attributes())
	rm.Resource().Attributes().CopyTo(p.Exemplars().AppendEmpty().FilteredAttributes())
	c := Cutter{Limits: limits}
	allocs := testing.AllocsPerRun(100, func() {
		c.ResourceMetrics(rm)
		c.ScopeMetrics(sm)
		c.Metric(m, 1)
		c.Point(p.Attributes())
		c.Exemplars(p.Exemplars())
	})
	require.Zero(t, allocs)
	require.Equal(t, Counts{}, c.Counts)
}
