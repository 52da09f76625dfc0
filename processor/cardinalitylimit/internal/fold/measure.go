package fold

// measure is the value of a point, of one of three kinds: number, histogram,
// exponential. The arguments of its methods are of the same kind.
type measure interface {
	// add folds d into the measure, which shares no memory with d afterwards.
	add(d measure, n *Stats)
	// since returns the difference to an earlier value of the same stream.
	since(prev measure) (measure, relation)
	clone() measure
	// bytes is what the measure holds, for the budget.
	bytes() int
}

// relation is how a cumulative value stands to the one before.
type relation uint8

const (
	grown        relation = iota // no part is lower
	reset                        // some part is lower: the stream began anew
	incomparable                 // other buckets: there is no difference
)
