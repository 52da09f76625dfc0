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

// cutText returns the beginning of s, ~ and a hash of the whole value. The result is valid UTF-8 of at most limit bytes.
func cutText(s string, limit int, hash uint64) string {
	var sum [8]byte
	binary.BigEndian.PutUint64(sum[:], hash)
	keep := min(max(limit-SuffixBytes, 0), len(s))
	return strings.ToValidUTF8(s[:keep], "") + "~" + base64.RawURLEncoding.EncodeToString(sum[:])
}

// maxShownDepth bounds the recursion over a nested value if MaxDepth does not.
const maxShownDepth = 64

// cut returns the text that replaces a value over a bound: the beginning of its text and a hash of the whole value. The text
// of bytes is base64. The text of a list or map is similar to JSON, with the names of a map in order.
func (l *Limits) cut(v pcommon.Value) string {
	limit := orNone(l.MaxValueBytes)
	if v.Type() == pcommon.ValueTypeStr {
		return cutText(v.Str(), limit, hasher.Value(v))
	}
	t := shownText{limit: limit, depth: maxShownDepth}
	if l.MaxDepth > 0 {
		t.depth = min(l.MaxDepth, maxShownDepth)
	}
	if v.Type() == pcommon.ValueTypeBytes {
		t.bytes(v.Bytes())
	} else {
		t.value(v, 1)
	}
	return cutText(string(t.text), limit, wholeHash(v))
}

// shownText is the beginning of the text of a nested value. It ends soon after limit bytes.
type shownText struct {
	text         []byte
	limit, depth int
}

func (t *shownText) room() int { return max(t.limit-len(t.text), 0) }

func (t *shownText) value(v pcommon.Value, depth int) {
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

func (t *shownText) quoted(s string) {
	t.text = strconv.AppendQuote(t.text, s[:min(len(s), t.room())])
}

// bytes reads only as many bytes as the text has room for.
func (t *shownText) bytes(b pcommon.ByteSlice) {
	raw := make([]byte, min(b.Len(), t.room()))
	for i := range raw {
		raw[i] = b.At(i)
	}
	t.text = base64.StdEncoding.AppendEncode(t.text, raw)
}

func (t *shownText) slice(s pcommon.Slice, depth int) {
	t.text = append(t.text, '[')
	for i, item := range s.All() {
		if t.room() == 0 {
			return
		}
		if depth >= t.depth && nested(item) {
			continue // only the hash includes it
		}
		if i > 0 {
			t.text = append(t.text, ',')
		}
		t.value(item, depth+1)
	}
	t.text = append(t.text, ']')
}

func (t *shownText) object(m pcommon.Map, depth int) {
	type member struct {
		name  string
		value pcommon.Value
	}
	members := make([]member, 0, m.Len())
	for name, v := range m.All() {
		members = append(members, member{name, v})
	}
	slices.SortStableFunc(members, func(a, b member) int { return cmp.Compare(a.name, b.name) })
	t.text = append(t.text, '{')
	for i, e := range members {
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
