package fold

// measure is the value of a point. It has three kinds: number, histogram and exponential. Both measures of a method are of the
// same kind. It has six methods, because the same value is added in an accumulator, compared in a stream and charged to the
// budget. An interface for each of these users would need a conversion wherever a value moves from one to the other.
type measure interface {
	// add adds d. Afterwards the measure shares no memory with d.
	add(d measure, n *Stats)
	// since returns the difference to an earlier value of the same stream.
	since(prev measure) (measure, relation)
	// restated returns the difference to an earlier value if the sender may have moved its observations to other buckets
	// meanwhile. A lower sum is a reset.
	restated(prev measure) (measure, relation)
	clone() measure
	// size is the number by which streams are compared: the value of a sum, or the count of a histogram.
	size() float64
	// bytes is the memory of the measure, for the budget.
	bytes() int
}

// relation is the relation of a cumulative value to the one before.
type relation uint8

const (
	grown   relation = iota // no part of the value is lower
	reset                   // a part of the value is lower, so the stream began anew
	unknown                 // the growth is not known, so the value is a baseline
)

// envelope computes the growth per bucket from two lists of bucket counts. The growth adds up to total: an observation that
// moved to another bucket does not count again. The running sum of the growth, from the lowest bucket on, never decreases.
type envelope struct {
	total       uint64
	now, before uint64 // counts up to the current bucket
	grown       uint64
}

// next returns the growth of the next bucket.
func (e *envelope) next(now, before uint64) uint64 {
	e.now += now
	e.before += before
	if e.now <= e.before {
		return 0
	}
	to := min(max(e.now-e.before, e.grown), e.total)
	d := to - e.grown
	e.grown = to
	return d
}
