package streamid

import (
	"math"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// maxDepth bounds the descent into nested values, so that a sender cannot choose the depth of the stack. Deeper values
// do not contribute to a hash.
const maxDepth = 32

// Value hashes an attribute value with its type: the string "1", the integer 1 and the double 1 have different hashes.
// Doubles are hashed by their bits: 0 and -0 differ, and a NaN equals itself.
func (h *Hasher) Value(v pcommon.Value) uint64 { return h.value(v, 0) }

// Text is [Hasher.Value] for a text.
func (h *Hasher) Text(s string) uint64 { return h.String(s) ^ tagString }

func (h *Hasher) value(v pcommon.Value, depth int) uint64 {
	switch v.Type() {
	case pcommon.ValueTypeStr:
		return h.Text(v.Str())
	case pcommon.ValueTypeInt:
		return mix(h.seed ^ tagInt ^ uint64(v.Int()))
	case pcommon.ValueTypeDouble:
		return mix(h.seed ^ tagDouble ^ math.Float64bits(v.Double()))
	case pcommon.ValueTypeBool:
		if v.Bool() {
			return mix(h.seed ^ tagBool ^ 1)
		}
		return mix(h.seed ^ tagBool)
	case pcommon.ValueTypeBytes:
		return h.bytes(v.Bytes())
	case pcommon.ValueTypeSlice:
		return h.slice(v.Slice(), depth)
	case pcommon.ValueTypeMap:
		if depth >= maxDepth {
			return tagMap
		}
		return h.Combine(tagMap, h.attributes(v.Map(), depth+1))
	default:
		return mix(h.seed ^ tagEmpty)
	}
}

func (h *Hasher) attributes(m pcommon.Map, depth int) uint64 {
	var sum uint64
	for k, v := range m.All() {
		sum += h.PairOf(h.String(k), h.value(v, depth))
	}
	return sum
}

func (h *Hasher) slice(s pcommon.Slice, depth int) uint64 {
	if depth >= maxDepth {
		return tagSlice
	}
	id := mix(h.seed ^ tagSlice ^ uint64(s.Len()))
	for i := range s.Len() {
		id = h.Combine(id, h.value(s.At(i), depth+1))
	}
	return id
}

// bytes hashes words of eight bytes. pdata gives no access to the slice without a copy, so it reads byte by byte.
func (h *Hasher) bytes(b pcommon.ByteSlice) uint64 {
	n := b.Len()
	id := mix(h.seed ^ tagBytes ^ uint64(n))
	var word uint64
	for i := range n {
		word = word<<8 | uint64(b.At(i))
		if i%8 == 7 || i == n-1 {
			// The word is mixed with the seed: if it were equal to a constant of Combine, the product would be zero
			// and forget the words before.
			id = h.Combine(id, mix(h.seed^word))
			word = 0
		}
	}
	return id
}
