package segment

import (
	"cmp"
	"slices"
)

// byteRange is the bytes [from, to) of a segment.
type byteRange struct{ from, to int64 }

// byteRanges is a set of bytes: sorted ranges that are not empty and do not touch.
type byteRanges []byteRange

// add adds [from, to) to the set.
func (s byteRanges) add(from, to int64) byteRanges {
	if from >= to {
		return s
	}
	first, _ := slices.BinarySearchFunc(s, from, func(e byteRange, at int64) int { return cmp.Compare(e.to, at) })
	last := first
	for ; last < len(s) && s[last].from <= to; last++ {
		from, to = min(from, s[last].from), max(to, s[last].to)
	}
	return slices.Replace(s, first, last, byteRange{from, to})
}

// firstOutside returns the first byte from at on that is not in the set.
func (s byteRanges) firstOutside(at int64) int64 {
	for _, e := range s {
		if e.from <= at && at < e.to {
			return e.to
		}
	}
	return at
}

// length returns the number of bytes in the set.
func (s byteRanges) length() (n int64) {
	for _, e := range s {
		n += e.to - e.from
	}
	return n
}
