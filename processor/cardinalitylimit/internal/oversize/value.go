package oversize

import (
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-custom/otelcol-custom/internal/streamid"
)

const (
	// numberBytes is the length that a number in a list or map counts, about that of its text.
	numberBytes = 8
	// itemBytes is the length that each item, and each list or map itself, counts in addition.
	itemBytes = 2
)

// exceededBy returns the bound that a value exceeds, or Kinds. The length of a list or map is that of the texts in it, plus
// itemBytes per item.
func (l *Limits) exceededBy(v pcommon.Value) Kind {
	switch v.Type() {
	case pcommon.ValueTypeStr:
		if len(v.Str()) > orNone(l.MaxValueBytes) {
			return Value
		}
	case pcommon.ValueTypeBytes:
		if v.Bytes().Len() > orNone(l.MaxValueBytes) {
			return Value
		}
	case pcommon.ValueTypeMap, pcommon.ValueTypeSlice:
		if l.MaxValueBytes == 0 && l.MaxDepth == 0 {
			return Kinds
		}
		m := nestedCheck{room: orNone(l.MaxValueBytes), depth: orNone(l.MaxDepth)}
		return m.visit(v, 1)
	}
	return Kinds
}

// nestedCheck walks a nested value until a bound is exceeded. Each of the bounds ends the recursion, because each level also
// uses bytes.
type nestedCheck struct {
	room  int // bytes left
	depth int // maximum
}

func (m *nestedCheck) visit(v pcommon.Value, depth int) Kind {
	switch v.Type() {
	case pcommon.ValueTypeStr:
		m.room -= len(v.Str())
	case pcommon.ValueTypeBytes:
		m.room -= v.Bytes().Len()
	case pcommon.ValueTypeSlice:
		if depth > m.depth {
			return Depth
		}
		m.room -= itemBytes
		for _, item := range v.Slice().All() {
			m.room -= itemBytes
			if k := m.visit(item, depth+1); k != Kinds {
				return k
			}
		}
	case pcommon.ValueTypeMap:
		if depth > m.depth {
			return Depth
		}
		m.room -= itemBytes
		for name, item := range v.Map().All() {
			m.room -= itemBytes + len(name)
			if k := m.visit(item, depth+1); k != Kinds {
				return k
			}
		}
	default:
		m.room -= numberBytes
	}
	if m.room < 0 {
		return Value
	}
	return Kinds
}

// hasher hashes the cut values. Its seed is a constant, so that every gateway makes the same series of a value, also after a
// restart.
var hasher = streamid.New(0x6f76657273697a65)

// Tags distinguish the hashes of lists, maps and their items.
const (
	tagSlice = 0xa54ff53a5f1d36f1
	tagMap   = 0x510e527fade682d1
)

// wholeHash returns the hash of a value of any depth. It is the sum of the hashes of all nested values, each combined with
// its path. So the order of a map does not matter.
func wholeHash(v pcommon.Value) uint64 {
	type node struct {
		value pcommon.Value
		path  uint64
	}
	var sum uint64
	left := []node{{v, hasher.String("")}} // lists and maps to visit
	visit := func(v pcommon.Value, path uint64) {
		switch v.Type() {
		case pcommon.ValueTypeSlice, pcommon.ValueTypeMap:
			left = append(left, node{v, path})
		default:
			sum += hasher.Combine(path, hasher.Value(v))
		}
	}
	if t := v.Type(); t != pcommon.ValueTypeSlice && t != pcommon.ValueTypeMap {
		return hasher.Value(v)
	}
	for len(left) > 0 {
		at := left[len(left)-1]
		left = left[:len(left)-1]
		if at.value.Type() == pcommon.ValueTypeSlice {
			path := hasher.Combine(at.path, tagSlice)
			sum += path
			for i, item := range at.value.Slice().All() {
				visit(item, hasher.Combine(path, uint64(i))) //nolint:gosec // not negative
			}
			continue
		}
		path := hasher.Combine(at.path, tagMap)
		sum += path
		for name, item := range at.value.Map().All() {
			visit(item, hasher.Combine(path, hasher.String(name)))
		}
	}
	return sum
}
