package series

// If the series do not fit into the processor's cache, a flush that visits them one after another spends most of its time waiting
// for memory. So it first reads the memory of several: these reads overlap. The results depend on all reads, and the functions are
// not inlined: the compiler would drop the reads if it saw that no caller uses the results.

// WarmSeries is the number of series whose memory is read at once, about as many reads as a core can wait for at the same time.
const WarmSeries = 16

// Warm reads the memory that the points of up to WarmSeries series need: their tags, and the small tallies of distributions.
//
//go:noinline
func Warm(all []*Series) (sum byte) {
	for _, s := range all {
		if s.Pending {
			sum++
		}
		if n := len(s.tags); n > 0 {
			sum += s.tags[0] + s.tags[n-1]
		}
		if v, ok := s.value.(*DistributionValue); ok {
			sum += v.warm()
		}
	}
	return sum
}

// warmParts reads the memory that the merge of up to WarmSeries parts needs: the parts, then their series.
//
//go:noinline
func warmParts(parts []*part) (sum byte) {
	var all [WarmSeries]*Series
	for i, to := range parts {
		all[i] = to.series
	}
	for _, s := range all[:len(parts)] {
		if s.Pending {
			sum++
		}
	}
	return sum
}
