package series

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
)

func testOptions() Options {
	return Options{
		Limits:   line.Limits{NameBytes: 512, TagBytes: MaxFieldBytes, MinRate: 1e-6},
		MaxBytes: 1 << 30, MaxSeries: 1000, MaxAliases: 2000, MaxTags: 64, Tables: 1,
		SimpleTags: true, Monotonic: true, IntCounters: true, SetLimit: 1024, ExpirySwaps: 10,
		TimedCounters: true, TimedGauges: true, TimedPoints: 100,
	}
}

func originOptions() Options {
	o := testOptions()
	o.Origin = OriginContainer
	return o
}

// group is a registry with its tables. Its flush only merges.
type group struct {
	*Registry
	tables []*Table
	stats  Stats
}

func newGroup(o Options) *group {
	g := &group{Registry: NewRegistry(o)}
	for range o.Tables {
		g.tables = append(g.tables, NewTable(g.Registry))
	}
	return g
}

func (g *group) add(table int, at int64, lines ...string) {
	g.addFrom(table, at, netip.Addr{}, lines...)
}

func (g *group) addFrom(table int, at int64, from netip.Addr, lines ...string) {
	g.tables[table].Datagram([]byte(strings.Join(lines, "\n")), false, at, from)
}

// flush swaps all tables, merges their epochs and returns the series that lines named, by identity.
func (g *group) flush() map[string]*Series {
	g.Advance()
	touched := map[*Series]bool{}
	for _, t := range g.tables {
		e := t.Swap()
		g.stats.Datagrams += e.Stats.Datagrams
		g.stats.Overflowed += e.Stats.Overflowed
		g.stats.DuplicateTags += e.Stats.DuplicateTags
		g.stats.DroppedPoints += e.Stats.DroppedPoints
		for i, n := range e.Stats.NamesWithTags {
			g.stats.NamesWithTags[i] += n
		}
		for i, n := range e.Stats.Lines {
			g.stats.Lines[i] += n
		}
		for i, n := range e.Stats.Rejected {
			g.stats.Rejected[i] += n
		}
		e.Merge(func(s *Series, _ bool) { touched[s] = true })
	}
	found := map[string]*Series{}
	for s := range touched {
		s.FinishMerge()
		found[identity(s)] = s
	}
	g.Sweep(func(*Series) {})
	g.Trim()
	return found
}

// known returns the number of aliases of all tables.
func (g *group) known() (n int) {
	for _, t := range g.tables {
		n += t.young.n + t.old.n
	}
	return n
}

func identity(s *Series) string {
	var b strings.Builder
	b.WriteString(s.Metric.Name + "|" + s.Metric.Kind.String())
	if s.Overflow {
		b.WriteString("|overflow")
	}
	for tag := range s.Tags {
		b.WriteString("|" + tag.Key + "=" + tag.Value)
	}
	for attribute := range s.Origin.Attributes {
		b.WriteString("|from " + attribute.Key + "=" + attribute.Value)
	}
	return b.String()
}

func whole(s *Series) int64 {
	n, _ := s.value.(*SumValue).Sum()
	return n
}

func totalOf[V int | uint64](values []V) (total V) {
	for _, n := range values {
		total += n
	}
	return total
}

func must(t *testing.T, found map[string]*Series, id string) *Series {
	t.Helper()
	s := found[id]
	if s == nil {
		t.Fatalf("no series %q among %q", id, slices.Sorted(maps.Keys(found)))
	}
	return s
}
