package series

import (
	"hash/maphash"
	"math"

	"github.com/otelcol-custom/otelcol-custom/internal/budget"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/unique"
)

// uniques is the aggregator of sets.
type uniques struct{ pool *pool[*members] }

func newUniques(o *Options, b *budget.Budget) *uniques {
	return &uniques{newPool(b, o.Tables, func() *members { return newMembers(o.SetLimit) })}
}

func (a *uniques) aggregation() Aggregation { return Unique }

func (a *uniques) newPart(table int) *part {
	var x struct {
		part
		uniqueAccumulator
	}
	x.cache = &a.pool.caches[table]
	x.accumulator = &x.uniqueAccumulator
	return &x.part
}

func (a *uniques) partSize() int { return 64 }

func (a *uniques) newSeries() *Series { return withValue(UniqueValue{pool: a.pool}) }

func (a *uniques) trim() { a.pool.trim() }

type uniqueAccumulator struct {
	cache  *cache[*members]
	halves [2]*members
}

var _ accumulator = (*uniqueAccumulator)(nil)

func (s *uniqueAccumulator) add(half int, l *line.Line, _ int64, t *Table, forced bool) bool {
	payer := account{t.registry.budget, forced}
	if s.halves[half] == nil {
		if s.halves[half] = s.cache.get(payer); s.halves[half] == nil {
			return false
		}
	}
	m, member := s.halves[half], maphash.Bytes(t.registry.seed, l.Member)
	growth := m.Growth()
	if growth == 0 {
		m.Add(member)
		return true
	}
	if !payer.pay(growth) {
		return false
	}
	before := m.Bytes()
	m.Add(member)
	t.registry.budget.Release(growth - (m.Bytes() - before)) // the counter may have grown by less
	return true
}

// UniqueValue is a set.
type UniqueValue struct {
	pool    *pool[*members]
	members *members // nil after clear
}

var _ value = (*UniqueValue)(nil)

// Members returns the number of distinct members.
func (v *UniqueValue) Members() int64 {
	if v.members == nil {
		return 0
	}
	return int64(min(v.members.Count(), math.MaxInt64))
}

// merge moves the first reader's members instead of copying them.
func (v *UniqueValue) merge(from accumulator, half int) bool {
	s := &from.(*uniqueAccumulator).halves[half]
	switch {
	case *s == nil:
		return false
	case (*s).Count() == 0: // the budget refused memory for the first member
		v.pool.put(*s)
		*s = nil
		return false
	case v.members == nil:
		v.members = *s
	default:
		before := v.members.Bytes()
		v.members.Merge(&(*s).Counter)
		v.pool.budget.Force(v.members.Bytes() - before)
		v.pool.put(*s)
	}
	*s = nil
	return true
}

func (v *UniqueValue) finishMerge() {}

func (v *UniqueValue) clear() {
	if v.members != nil {
		v.pool.put(v.members)
		v.members = nil
	}
}

// members is a counter that a pool can keep.
type members struct{ unique.Counter }

const membersBytes = 80 // size of the struct

func newMembers(limit int) *members { return &members{*unique.New(limit)} }

func (m *members) size() int { return membersBytes + m.Bytes() }

func (m *members) reset() { m.Reset() }
