package series

import (
	"bytes"
	"slices"
	"unicode/utf8"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
)

// rawTag points into a line, or into a copy where that was not UTF-8.
type rawTag struct{ key, value []byte }

var replacement = []byte(string(utf8.RuneError))

// canonical writes the identity of a line: kind, name and the tags, valid UTF-8,
// sorted by key and without duplicates. The separators are bytes that a name, a key or a
// value cannot contain in any format, so that two different series never have the same
// identity:
//
//	<kind>name|key\nvalue|key\nvalue|
//
// Of tags with the same key the one with the greatest value counts: a rule that
// does not depend on their order. A tag without a value has the empty value, where
// Options.SimpleTags takes it. With Options.MetricType the kind is a tag, too, and
// one that a sender gave its key is left out like a duplicate.
func (t *Table) canonical(l *line.Line) (nameLen int, duplicates int, reason line.Reason) {
	if bytes.IndexByte(l.Name, '|') >= 0 {
		return 0, 0, line.NoValue // the colon after it is that of a tag; looked for here, where a line is new
	}
	before, tags, after := l.NameParts()
	if l.Format == line.Plain {
		tags = l.Tags
	}
	t.tags = t.tags[:0]
	replaced := 0
	for len(tags) > 0 {
		var tag []byte
		if tag, tags = l.Format.CutTag(tags); len(tag) == 0 {
			continue
		}
		if len(t.tags)+replaced == t.options.MaxTags {
			return 0, 0, line.TooManyTags
		}
		key, value := l.Format.CutValue(tag)
		if len(key) == 0 || len(value) == 0 && !t.options.SimpleTags {
			return 0, 0, line.BadTag
		}
		if t.options.MetricType && string(key) == metricTypeKey {
			replaced++
			continue
		}
		t.tags = append(t.tags, rawTag{valid(key), valid(value)})
	}
	if t.options.MetricType {
		t.tags = append(t.tags, rawTag{[]byte(metricTypeKey), []byte(metricTypes[l.Kind])})
	}
	slices.SortFunc(t.tags, func(a, b rawTag) int {
		if c := bytes.Compare(a.key, b.key); c != 0 {
			return c
		}
		return bytes.Compare(b.value, a.value) // greatest first, the one that stays
	})
	all := len(t.tags)
	t.tags = slices.CompactFunc(t.tags, func(a, b rawTag) bool { return bytes.Equal(a.key, b.key) })

	t.key = append(append(t.key[:0], byte(l.Kind)), valid(before)...)
	t.key = append(t.key, valid(after)...)
	nameLen = len(t.key) - 1
	t.key = append(t.key, tagEnd)
	for _, tag := range t.tags {
		t.key = appendTag(t.key, tag)
	}
	return nameLen, replaced + all - len(t.tags), line.OK
}

func appendTag(to []byte, t rawTag) []byte {
	return append(append(append(append(to, t.key...), keyEnd), t.value...), tagEnd)
}

// The separators of identities. No line has a line ending, and a bar ends a name as well as a
// tag field.
const (
	keyEnd = '\n'
	tagEnd = '|'
)

const metricTypeKey = "metric_type"

// metricTypes are contrib's statsd receiver's, which has no sets.
var metricTypes = [line.Kinds]string{
	line.Counter: "counter", line.Gauge: "gauge", line.Timer: "timing", line.Histogram: "histogram",
	line.Distribution: "distribution", line.Set: "set",
}

func valid(b []byte) []byte {
	if utf8.Valid(b) {
		return b
	}
	return bytes.ToValidUTF8(b, replacement)
}
