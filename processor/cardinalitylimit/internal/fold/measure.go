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

// Stats counts what folding could not do exactly. The counts are of points.
type Stats struct {
	Folded      int64 // entered an accumulator
	Unbaselined int64 // first values that served as the baseline only
	OutOfOrder  int64 // dropped: not newer than the last of their stream
	Refused     int64 // dropped: no room for the state of their stream
	NonFinite   int64 // dropped: NaN or infinite
	Malformed   int64 // dropped: buckets and bounds that do not fit together
	Gauges      int64 // dropped: gauges are not folded
	Stale       int64 // consumed: the end of a folded stream
	Undelivered int64 // outgoing points that downstream refused for good
	Saturated   int64 // integer sums held at their largest value
	Rebucketed  int64 // histograms brought to other bounds

	RefusedStreams int64 // streams or accumulators there was no room for
}

// Add adds o to n.
func (n *Stats) Add(o Stats) {
	n.Folded += o.Folded
	n.Unbaselined += o.Unbaselined
	n.OutOfOrder += o.OutOfOrder
	n.Refused += o.Refused
	n.NonFinite += o.NonFinite
	n.Malformed += o.Malformed
	n.Gauges += o.Gauges
	n.Stale += o.Stale
	n.Undelivered += o.Undelivered
	n.Saturated += o.Saturated
	n.Rebucketed += o.Rebucketed
	n.RefusedStreams += o.RefusedStreams
}
