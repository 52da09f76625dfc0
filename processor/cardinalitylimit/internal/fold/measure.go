package fold

// measure is the value of a point, of one of three kinds: number, histogram,
// exponential. The arguments of its methods are of the same kind.
type measure interface {
	// add folds d into the measure, which shares no memory with d afterwards.
	add(d measure, n *Stats)
	// since returns the difference to an earlier value of the same stream.
	since(prev measure) (measure, relation)
	// restated returns the difference to an earlier value where the sender may have
	// sorted what it had counted into other buckets meanwhile. A lower sum is a reset.
	restated(prev measure) (measure, relation)
	clone() measure
	// size is what is compared between streams: the value of a sum, the count of a
	// histogram.
	size() float64
	// bytes is what the measure holds, for the budget.
	bytes() int
}

// relation is how a cumulative value stands to the one before.
type relation uint8

const (
	grown   relation = iota // no part is lower
	reset                   // some part is lower: the stream began anew
	unknown                 // the growth is not known: the value is one to count from
)

// envelope turns two lists of bucket counts into the growth from one to the other,
// which adds up to total: observations that moved to another bucket do not count
// again. The running growth, from the lowest bucket on, is kept from falling.
type envelope struct {
	total       uint64
	now, before uint64 // counts up to the bucket at hand
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
