package series

import (
	"math"

	"github.com/otelcol-custom/otelcol-custom/internal/budget"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
)

// tally counts values in buckets. T is the type itself.
type tally[T any] interface {
	sized
	// Record counts n values.
	Record(v float64, n uint64)
	// admit makes room for values, or reports that memory is refused.
	admit(values []line.Value, b *budget.Budget, must bool) bool
	// absorb adds o, which it may not keep.
	absorb(o T, b *budget.Budget)
	empty() bool
}

// tallies is the aggregator of one configuration of buckets.
type tallies[T tally[T]] struct {
	is   Aggregation
	pool *pool[T]
	wrap func(tallyValue[T]) value
}

func (a *tallies[T]) aggregation() Aggregation { return a.is }

func (a *tallies[T]) local(table int) *local {
	var x struct {
		local
		tallyShare[T]
	}
	x.cache = &a.pool.caches[table]
	x.share = &x.tallyShare
	return &x.local
}

func (a *tallies[T]) localBytes() int { return 96 }

func (a *tallies[T]) value() value { return a.wrap(tallyValue[T]{pool: a.pool}) }

func (a *tallies[T]) trim() { a.pool.trim() }

type tallyShare[T tally[T]] struct {
	cache  *cache[T]
	halves [2]struct {
		tally T // nil without values
		carry
	}
}

// carry is the fraction of a weight that is left to the next value, in [0, 1) but
// between merge and settle: a sample rate makes a value count 1/rate times.
type carry struct {
	fraction float64
	value    float64 // that the fraction stands for
}

// whole returns how many times a value of a weight counts.
func (c *carry) whole(v, weight float64) uint64 {
	weight += c.fraction
	n := math.Floor(weight)
	*c = carry{weight - n, v}
	return uint64(n)
}

// take adds what another carries.
func (c *carry) take(from *carry) {
	if from.fraction > 0 {
		*c = carry{c.fraction + from.fraction, from.value}
		*from = carry{}
	}
}

// settle returns how many times more the value counts.
func (c *carry) settle() uint64 {
	n := math.Floor(c.fraction)
	c.fraction -= n
	return uint64(n)
}

func (s *tallyShare[T]) add(half int, l *line.Line, _ int64, t *Table, must bool) bool {
	var none T
	to := &s.halves[half]
	if to.tally == none {
		if to.tally = s.cache.take(must); to.tally == none {
			return false
		}
	}
	if !to.tally.admit(l.Values, t.registry.budget, must) {
		return false
	}
	if l.Rate == 1 {
		for i := range l.Values {
			to.tally.Record(l.Values[i].Float, 1)
		}
		return true
	}
	for i := range l.Values {
		v := l.Values[i].Float
		to.tally.Record(v, to.whole(v, 1/l.Rate))
	}
	return true
}

// tallyValue is what a series has counted.
type tallyValue[T tally[T]] struct {
	pool  *pool[T]
	tally T // nil after clear
	carry carry
}

// merge takes the first reader's tally as it is: most series have one reader.
func (v *tallyValue[T]) merge(from share, half int) bool {
	var none T
	s := &from.(*tallyShare[T]).halves[half]
	v.carry.take(&s.carry)
	switch {
	case s.tally == none:
		return false
	case s.tally.empty(): // refused its first value
		v.pool.put(s.tally)
		s.tally = none
		return false
	case v.tally == none:
		v.tally = s.tally
	default:
		v.tally.absorb(s.tally, v.pool.budget)
		v.pool.put(s.tally)
	}
	s.tally = none
	return true
}

func (v *tallyValue[T]) settle() {
	var none T
	if v.tally != none {
		v.tally.Record(v.carry.value, v.carry.settle())
	}
}

func (v *tallyValue[T]) clear() {
	var none T
	if v.tally != none {
		v.pool.put(v.tally)
		v.tally = none
	}
}
