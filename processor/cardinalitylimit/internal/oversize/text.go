package oversize

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"slices"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// cutText returns the beginning of s and a hash of the whole, at most limit bytes of valid UTF-8
// together.
func cutText(s string, limit int, hash uint64) string {
	var sum [8]byte
	binary.BigEndian.PutUint64(sum[:], hash)
	keep := min(max(limit-SuffixBytes, 0), len(s))
	return strings.ToValidUTF8(s[:keep], "") + "~" + base64.RawURLEncoding.EncodeToString(sum[:])
}

// maxShownDepth bounds the recursion that shows a nested value where its depth is not bounded.
const maxShownDepth = 64

// cut returns what a value over a bound is replaced by: the beginning of its text and a hash of the
// whole. Bytes are shown in base64, a list or map about as JSON would be, a map in the order of its
// names.
func (l *Limits) cut(v pcommon.Value) string {
	limit := orNone(l.MaxValueBytes)
	if v.Type() == pcommon.ValueTypeStr {
		return cutText(v.Str(), limit, hasher.Value(v))
	}
	t := shown{limit: limit, depth: maxShownDepth}
	if l.MaxDepth > 0 {
		t.depth = min(l.MaxDepth, maxShownDepth)
	}
	if v.Type() == pcommon.ValueTypeBytes {
		t.bytes(v.Bytes())
	} else {
		t.value(v, 1)
	}
	return cutText(string(t.text), limit, whole(v))
}

// shown is the beginning of a text for a nested value. It ends soon after limit bytes.
type shown struct {
	text         []byte
	limit, depth int
}

func (t *shown) room() int { return max(t.limit-len(t.text), 0) }

func (t *shown) value(v pcommon.Value, depth int) {
	switch v.Type() {
	case pcommon.ValueTypeStr:
		t.quoted(v.Str())
	case pcommon.ValueTypeInt:
		t.text = strconv.AppendInt(t.text, v.Int(), 10)
	case pcommon.ValueTypeDouble:
		t.text = strconv.AppendFloat(t.text, v.Double(), 'g', -1, 64)
	case pcommon.ValueTypeBool:
		t.text = strconv.AppendBool(t.text, v.Bool())
	case pcommon.ValueTypeBytes:
		t.text = append(t.text, '"')
		t.bytes(v.Bytes())
		t.text = append(t.text, '"')
	case pcommon.ValueTypeSlice:
		t.slice(v.Slice(), depth)
	case pcommon.ValueTypeMap:
		t.object(v.Map(), depth)
	default:
		t.text = append(t.text, "null"...)
	}
}

func (t *shown) quoted(s string) {
	t.text = strconv.AppendQuote(t.text, s[:min(len(s), t.room())])
}

// bytes takes what has room only: all of them would have to be copied.
func (t *shown) bytes(b pcommon.ByteSlice) {
	raw := make([]byte, min(b.Len(), t.room()))
	for i := range raw {
		raw[i] = b.At(i)
	}
	t.text = base64.StdEncoding.AppendEncode(t.text, raw)
}

func (t *shown) slice(s pcommon.Slice, depth int) {
	t.text = append(t.text, '[')
	for i, item := range s.All() {
		if t.room() == 0 {
			return
		}
		if depth >= t.depth && nested(item) {
			continue // the hash has it
		}
		if i > 0 {
			t.text = append(t.text, ',')
		}
		t.value(item, depth+1)
	}
	t.text = append(t.text, ']')
}

func (t *shown) object(m pcommon.Map, depth int) {
	type entry struct {
		name  string
		value pcommon.Value
	}
	entries := make([]entry, 0, m.Len())
	for name, v := range m.All() {
		entries = append(entries, entry{name, v})
	}
	slices.SortStableFunc(entries, func(a, b entry) int { return cmp.Compare(a.name, b.name) })
	t.text = append(t.text, '{')
	for i, e := range entries {
		if t.room() == 0 {
			return
		}
		if depth >= t.depth && nested(e.value) {
			continue
		}
		if i > 0 {
			t.text = append(t.text, ',')
		}
		t.quoted(e.name)
		t.text = append(t.text, ':')
		t.value(e.value, depth+1)
	}
	t.text = append(t.text, '}')
}

func nested(v pcommon.Value) bool {
	return v.Type() == pcommon.ValueTypeSlice || v.Type() == pcommon.ValueTypeMap
}
