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
// sorted by key and without duplicates. The separators are those of the protocol,
// which a name, a key or a value cannot contain, so that two different series
// never have the same identity:
//
//	<kind>name|key:value,key:value,
//
// Of tags with the same key the one with the greatest value holds: a rule that
// does not depend on their order. A tag without a value has the empty value, where
// Options.SimpleTags takes it. With Options.MetricType the kind is a tag, too, and
// one that a sender gave its key is left out like a duplicate.
func (t *Table) canonical(l *line.Line) (nameLen int, duplicates int, reason line.Reason) {
	if bytes.IndexByte(l.Name, '|') >= 0 {
		return 0, 0, line.NoValue // the colon after it is that of a tag; looked for here, where a line is new
	}
	t.tags = t.tags[:0]
	replaced := 0
	for rest := l.Tags; len(rest) > 0; {
		tag := rest
		if comma := bytes.IndexByte(rest, ','); comma >= 0 {
			tag, rest = rest[:comma], rest[comma+1:]
		} else {
			rest = nil
		}
		if len(tag) == 0 {
			continue
		}
		if len(t.tags)+replaced == t.options.MaxTags {
			return 0, 0, line.TooManyTags
		}
		key, value, _ := bytes.Cut(tag, []byte{':'})
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

	name := valid(l.Name)
	t.key = append(append(append(t.key[:0], byte(l.Kind)), name...), '|')
	for _, tag := range t.tags {
		t.key = appendTag(t.key, tag)
	}
	return len(name), replaced + all - len(t.tags), line.OK
}

func appendTag(to []byte, t rawTag) []byte {
	return append(append(append(append(to, t.key...), ':'), t.value...), ',')
}

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
