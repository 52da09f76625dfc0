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

func (a *uniques) local(table int) *local {
	var x struct {
		local
		uniqueShare
	}
	x.cache = &a.pool.caches[table]
	x.share = &x.uniqueShare
	return &x.local
}

func (a *uniques) localBytes() int { return 64 }

func (a *uniques) value() value { return &UniqueValue{pool: a.pool} }

func (a *uniques) trim() { a.pool.trim() }

type uniqueShare struct {
	cache  *cache[*members]
	halves [2]*members
}

var _ share = (*uniqueShare)(nil)

func (s *uniqueShare) add(half int, l *line.Line, _ int64, t *Table, must bool) bool {
	if s.halves[half] == nil {
		if s.halves[half] = s.cache.take(must); s.halves[half] == nil {
			return false
		}
	}
	m, member := s.halves[half], maphash.Bytes(t.registry.seed, l.Member)
	growth := m.Growth()
	if growth == 0 {
		m.Add(member)
		return true
	}
	if must {
		t.registry.budget.Force(growth)
	} else if !t.registry.budget.Reserve(growth) {
		return false
	}
	before := m.Bytes()
	m.Add(member)
	t.registry.budget.Release(growth - (m.Bytes() - before)) // it need not have grown
	return true
}

// UniqueValue is a set.
type UniqueValue struct {
	pool    *pool[*members]
	members *members // nil after clear
}

var _ value = (*UniqueValue)(nil)

// Members is how many distinct ones there are.
func (v *UniqueValue) Members() int64 {
	if v.members == nil {
		return 0
	}
	return int64(min(v.members.Count(), math.MaxInt64))
}

// merge takes the first reader's members as they are.
func (v *UniqueValue) merge(from share, half int) bool {
	s := &from.(*uniqueShare).halves[half]
	switch {
	case *s == nil:
		return false
	case (*s).Count() == 0: // refused its first member
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

func (v *UniqueValue) settle() {}

func (v *UniqueValue) clear() {
	if v.members != nil {
		v.pool.put(v.members)
		v.members = nil
	}
}

// members is a counter that a pool can hold.
type members struct{ unique.Counter }

const membersBytes = 80 // the struct

func newMembers(limit int) *members { return &members{*unique.New(limit)} }

func (m *members) size() int { return membersBytes + m.Bytes() }

func (m *members) reset() { m.Reset() }
