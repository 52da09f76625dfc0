package segment

import (
	"cmp"
	"slices"
)

// span is the bytes [from, to) of a segment.
type span struct{ from, to int64 }

// spans is a set of bytes: its elements are in order, not empty, and do not touch.
type spans []span

// add puts [from, to) into the set.
func (s spans) add(from, to int64) spans {
	if from >= to {
		return s
	}
	first, _ := slices.BinarySearchFunc(s, from, func(e span, at int64) int { return cmp.Compare(e.to, at) })
	last := first
	for ; last < len(s) && s[last].from <= to; last++ {
		from, to = min(from, s[last].from), max(to, s[last].to)
	}
	return slices.Replace(s, first, last, span{from, to})
}

// past returns the first byte from at on that is not in the set.
func (s spans) past(at int64) int64 {
	for _, e := range s {
		if e.from <= at && at < e.to {
			return e.to
		}
	}
	return at
}

// length is the number of bytes in the set.
func (s spans) length() (n int64) {
	for _, e := range s {
		n += e.to - e.from
	}
	return n
}
