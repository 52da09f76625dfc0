package series

import (
	"math"

	"github.com/otelcol-custom/otelcol-custom/internal/budget"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
)

// tally counts values in buckets. T is the type itself.
type tally[T any] interface {
	sized
	// Record counts the value n times.
	Record(v float64, n uint64)
	// admit makes room for values. negative says that at least one of them is negative. admit reports false if the account
	// does not pay for the memory.
	admit(negative bool, payer account) bool
	// absorb adds the counts of o. It must not keep a reference to o.
	absorb(o T, b *budget.Budget)
}

// tallies is the aggregator of one configuration of buckets.
type tallies[T tally[T]] struct {
	kind   Aggregation
	pool   *pool[T]
	small  *pool[*smallTally]          // nil if buckets need little memory
	series func(tallyValue[T]) *Series // creates a series with that value

	scratch T // buckets for a value that has a small tally; only the flusher uses them
}

// newTallies creates an aggregator whose tallies begin small, if buckets need more memory than that.
func newTallies[T tally[T]](kind Aggregation, tables int, b *budget.Budget, create func() T, series func(tallyValue[T]) *Series) *tallies[T] {
	a := &tallies[T]{kind: kind, pool: newPool(b, tables, create), series: series, scratch: create()}
	if a.scratch.size() > 2*smallTallyBytes {
		a.small = newPool(b, tables, newSmallTally)
	}
	return a
}

func (a *tallies[T]) aggregation() Aggregation { return a.kind }

func (a *tallies[T]) newPart(table int) *part {
	var x struct {
		part
		tallyAccumulator[T]
	}
	x.cache = &a.pool.caches[table]
	if a.small != nil {
		x.small = &a.small.caches[table]
	}
	x.accumulator = &x.tallyAccumulator
	return &x.part
}

func (a *tallies[T]) partSize() int { return 112 }

func (a *tallies[T]) newSeries() *Series { return a.series(tallyValue[T]{owner: a}) }

func (a *tallies[T]) trim() {
	a.pool.trim()
	if a.small != nil {
		a.small.trim()
	}
}

type tallyAccumulator[T tally[T]] struct {
	cache  *cache[T]
	small  *cache[*smallTally] // nil if tallies begin with buckets
	halves [2]struct {
		counted[T]
		carry
	}
}

// counted has counted values, either in a small tally or in buckets (tally). Without values it has neither.
type counted[T tally[T]] struct {
	small *smallTally
	tally T
}

// record counts the value n times. The small tally must have room for it, or there must be buckets.
func (c *counted[T]) record(v float64, n uint64) {
	if c.small != nil {
		c.small.record(v, n)
		return
	}
	c.tally.Record(v, n)
}

// replay records the values of f in a tally, which must have admitted them.
func replay[T tally[T]](to T, f *smallTally) {
	for _, e := range f.all() {
		to.Record(e.value, e.count)
	}
}

// carry is the fraction of a weight that is carried over to the next value. With a sample rate a value counts 1/rate times, which
// need not be a whole number.
type carry struct {
	fraction float64 // in [0, 1), except between merge and finishMerge
	value    float64 // the value to which the fraction belongs
}

// whole returns how many times a value with that weight counts, and carries the rest over.
func (c *carry) whole(v, weight float64) uint64 {
	weight += c.fraction
	n := math.Floor(weight)
	*c = carry{weight - n, v}
	return uint64(n)
}

// addCarry adds the fraction of another carry and clears that one.
func (c *carry) addCarry(from *carry) {
	if from.fraction > 0 {
		*c = carry{c.fraction + from.fraction, from.value}
		*from = carry{}
	}
}

// removeWhole removes what is whole in the fraction and returns it: the value counts that many more times.
func (c *carry) removeWhole() uint64 {
	n := math.Floor(c.fraction)
	c.fraction -= n
	return uint64(n)
}

func (s *tallyAccumulator[T]) add(half int, l *line.Line, _ int64, t *Table, forced bool) bool {
	to := &s.halves[half]
	if !s.admit(&to.counted, l.Values, account{t.registry.budget, forced}) {
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

// admit makes room for values. It reports false if the account does not pay for the memory; the values counted before remain.
func (s *tallyAccumulator[T]) admit(to *counted[T], values []line.Value, payer account) bool {
	var none T
	if to.tally != none {
		return to.tally.admit(anyNegative(values), payer)
	}
	if s.small != nil && to.small == nil && len(values) <= smallTallyValues {
		to.small = s.small.get(payer)
		return to.small != nil
	}
	if to.small != nil && to.small.hasRoom(len(values)) {
		return true
	}
	buckets := s.cache.get(payer)
	if buckets == none {
		return false
	}
	if !buckets.admit(anyNegative(values) || to.small != nil && to.small.anyNegative(), payer) {
		s.cache.put(buckets)
		return false
	}
	to.tally = buckets
	if to.small != nil {
		replay(buckets, to.small)
		s.small.put(to.small)
		to.small = nil
	}
	return true
}

// tallyValue is the merged tally of a series.
type tallyValue[T tally[T]] struct {
	owner      *tallies[T]
	counted[T] // empty after clear
	carry      carry
}

// merge moves the first reader's tally instead of copying it, because most series have one reader.
func (v *tallyValue[T]) merge(from accumulator, half int) bool {
	var none T
	s := &from.(*tallyAccumulator[T]).halves[half]
	v.carry.addCarry(&s.carry)
	other := s.counted
	s.counted = counted[T]{}
	switch {
	case other.small != nil:
		v.mergeSmall(other.small)
	case other.tally != none:
		v.mergeTally(other.tally)
	default:
		return false
	}
	return true
}

// forced returns the flusher's account: a merge must not lose values.
func (v *tallyValue[T]) forced() account { return account{v.owner.pool.budget, true} }

func (v *tallyValue[T]) mergeSmall(f *smallTally) {
	var none T
	if v.small == nil && v.tally == none {
		v.small = f
		return
	}
	if v.tally == none && !v.small.hasRoom(f.n) {
		v.spread()
	}
	if v.tally != none {
		v.tally.admit(f.anyNegative(), v.forced())
	}
	for _, e := range f.all() {
		v.recordAny(e.value, e.count)
	}
	v.owner.small.put(f)
}

func (v *tallyValue[T]) mergeTally(t T) {
	var none T
	if v.tally != none {
		v.tally.absorb(t, v.owner.pool.budget)
		v.owner.pool.put(t)
		return
	}
	v.tally = t
	if f := v.small; f != nil {
		v.small = nil
		t.admit(f.anyNegative(), v.forced())
		replay(t, f)
		v.owner.small.put(f)
	}
}

// recordAny counts the value n times. If the small tally has no room for it, recordAny moves all values to buckets.
func (v *tallyValue[T]) recordAny(x float64, n uint64) {
	if v.small != nil && v.small.record(x, n) {
		return
	}
	v.spread()
	v.tally.Record(x, n)
}

// spread moves the values of the small tally to buckets.
func (v *tallyValue[T]) spread() {
	if f := v.small; f != nil {
		v.mergeTally(v.owner.pool.get())
	}
}

// buckets returns the counted values in buckets, or the zero T without values. The buckets are valid until the next call for any
// value of the same aggregator.
func (v *tallyValue[T]) buckets() T {
	if v.small == nil {
		return v.tally
	}
	v.owner.scratch.reset()
	replay(v.owner.scratch, v.small)
	return v.owner.scratch
}

// warm reads the memory of a small tally.
func (v *tallyValue[T]) warm() byte {
	if v.small == nil {
		return 0
	}
	return byte(v.small.n)
}

func (v *tallyValue[T]) finishMerge() {
	var none T
	if n := v.carry.removeWhole(); n > 0 && (v.small != nil || v.tally != none) {
		v.recordAny(v.carry.value, n)
	}
}

func (v *tallyValue[T]) clear() {
	var none T
	if v.small != nil {
		v.owner.small.put(v.small)
		v.small = nil
	}
	if v.tally != none {
		v.owner.pool.put(v.tally)
		v.tally = none
	}
}
