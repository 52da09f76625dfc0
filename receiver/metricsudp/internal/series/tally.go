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
	// admit makes room for values, negative ones among them or not, or reports that memory is refused.
	admit(negative bool, b *budget.Budget, must bool) bool
	// absorb adds o, which it may not keep.
	absorb(o T, b *budget.Budget)
}

// tallies is the aggregator of one configuration of buckets.
type tallies[T tally[T]] struct {
	kind     Aggregation
	pool     *pool[T]
	few      *pool[*few] // nil if buckets use little memory
	newValue func(tallyValue[T]) value

	scratch T // the flusher's: buckets of a value that has few
}

// newTallies has a tally begin with few values if its buckets use more memory.
func newTallies[T tally[T]](kind Aggregation, tables int, b *budget.Budget, create func() T, newValue func(tallyValue[T]) value) *tallies[T] {
	a := &tallies[T]{kind: kind, pool: newPool(b, tables, create), newValue: newValue, scratch: create()}
	if a.scratch.size() > 2*fewBytes {
		a.few = newPool(b, tables, newFew)
	}
	return a
}

func (a *tallies[T]) aggregation() Aggregation { return a.kind }

func (a *tallies[T]) local(table int) *local {
	var x struct {
		local
		tallyShare[T]
	}
	x.cache = &a.pool.caches[table]
	if a.few != nil {
		x.few = &a.few.caches[table]
	}
	x.share = &x.tallyShare
	return &x.local
}

func (a *tallies[T]) localBytes() int { return 112 }

func (a *tallies[T]) value() value { return a.newValue(tallyValue[T]{owner: a}) }

func (a *tallies[T]) trim() {
	a.pool.trim()
	if a.few != nil {
		a.few.trim()
	}
}

type tallyShare[T tally[T]] struct {
	cache  *cache[T]
	few    *cache[*few] // nil where tallies begin with buckets
	halves [2]struct {
		counted[T]
		carry
	}
}

// counted is what was counted: few values, buckets or, without values, neither.
type counted[T tally[T]] struct {
	few   *few
	tally T
}

// record counts n values. There must be room in few, or buckets.
func (c *counted[T]) record(v float64, n uint64) {
	if c.few != nil {
		c.few.record(v, n)
		return
	}
	c.tally.Record(v, n)
}

// replay records the few values in a tally that admits them.
func replay[T tally[T]](to T, f *few) {
	for i, v := range f.values[:f.n] {
		to.Record(v, f.counts[i])
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
	to := &s.halves[half]
	if !s.admit(&to.counted, l.Values, t.registry.budget, must) {
		return false
	}
	if l.Rate == 1 {
		for i := range l.Values {
			to.record(l.Values[i].Float, 1)
		}
		return true
	}
	for i := range l.Values {
		v := l.Values[i].Float
		to.record(v, to.whole(v, 1/l.Rate))
	}
	return true
}

// admit makes room for values, or reports that memory is refused. What was counted before stays.
func (s *tallyShare[T]) admit(to *counted[T], values []line.Value, b *budget.Budget, must bool) bool {
	var none T
	if to.tally != none {
		return to.tally.admit(anyNegative(values), b, must)
	}
	if s.few != nil && to.few == nil && len(values) <= fewValues {
		to.few = s.few.take(must)
		return to.few != nil
	}
	if to.few != nil && to.few.hasRoom(len(values)) {
		return true
	}
	with := s.cache.take(must)
	if with == none {
		return false
	}
	if !with.admit(anyNegative(values) || to.few != nil && to.few.anyNegative(), b, must) {
		s.cache.put(with)
		return false
	}
	to.tally = with
	if to.few != nil {
		replay(with, to.few)
		s.few.put(to.few)
		to.few = nil
	}
	return true
}

// tallyValue is what a series has counted.
type tallyValue[T tally[T]] struct {
	owner      *tallies[T]
	counted[T] // neither after clear
	carry      carry
}

// merge takes over what the first reader has: most series have one reader.
func (v *tallyValue[T]) merge(from share, half int) bool {
	var none T
	s := &from.(*tallyShare[T]).halves[half]
	v.carry.take(&s.carry)
	other := s.counted
	s.counted = counted[T]{}
	switch {
	case other.few != nil:
		v.mergeFew(other.few)
	case other.tally != none:
		v.mergeTally(other.tally)
	default:
		return false
	}
	return true
}

func (v *tallyValue[T]) mergeFew(f *few) {
	var none T
	if v.few == nil && v.tally == none {
		v.few = f
		return
	}
	if v.tally == none && !v.few.hasRoom(f.n) {
		v.spread()
	}
	if v.tally != none {
		v.tally.admit(f.anyNegative(), v.owner.pool.budget, true)
	}
	for i, x := range f.values[:f.n] {
		v.recordAny(x, f.counts[i])
	}
	v.owner.few.put(f)
}

func (v *tallyValue[T]) mergeTally(t T) {
	var none T
	if v.tally != none {
		v.tally.absorb(t, v.owner.pool.budget)
		v.owner.pool.put(t)
		return
	}
	v.tally = t
	if f := v.few; f != nil {
		v.few = nil
		t.admit(f.anyNegative(), v.owner.pool.budget, true)
		replay(t, f)
		v.owner.few.put(f)
	}
}

// recordAny counts values that few has no room for, too.
func (v *tallyValue[T]) recordAny(x float64, n uint64) {
	if v.few != nil && v.few.record(x, n) {
		return
	}
	v.spread()
	v.tally.Record(x, n)
}

// spread brings few values to buckets of their own.
func (v *tallyValue[T]) spread() {
	if f := v.few; f != nil {
		v.mergeTally(v.owner.pool.force())
	}
}

// buckets returns what was counted in buckets, which are valid until the next call for any value of
// the aggregator. It is the zero T if nothing was.
func (v *tallyValue[T]) buckets() T {
	if v.few == nil {
		return v.tally
	}
	v.owner.scratch.reset()
	replay(v.owner.scratch, v.few)
	return v.owner.scratch
}

func (v *tallyValue[T]) settle() {
	var none T
	if n := v.carry.settle(); n > 0 && (v.few != nil || v.tally != none) {
		v.recordAny(v.carry.value, n)
	}
}

func (v *tallyValue[T]) clear() {
	var none T
	if v.few != nil {
		v.owner.few.put(v.few)
		v.few = nil
	}
	if v.tally != none {
		v.owner.pool.put(v.tally)
		v.tally = none
	}
}
