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
// Options.SimpleTags accepts it. With Options.MetricType the kind is a tag too, and
// one that a sender gave its key is left out like a duplicate. Tags that say where
// the line comes from belong to the origin. Options.Cleaning rewrites name and keys.
func (t *Table) canonical(l *line.Line) (nameLen int, found spelling, reason line.Reason) {
	if bytes.IndexByte(l.Name, '|') >= 0 {
		return 0, 0, line.NoValue // the colon after it is that of a tag; looked for here, where a line is new
	}
	name := l.Name
	if t.options.Cleaning != CleanEtsy { // which makes a _ of blanks
		name = line.TrimBlanks(name)
	}
	name = valid(name)
	t.key = t.options.Cleaning.appendName(append(t.key[:0], byte(l.Kind)), name)
	nameLen = len(t.key) - 1
	if nameLen == 0 {
		return 0, 0, line.NoName
	}
	cleaned := !bytes.Equal(t.key[1:], name)
	t.tags, t.keys, t.entity = t.tags[:0], t.keys[:0], nil
	taken, replaced := 0, 0
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
		if taken == t.options.MaxTags {
			return 0, 0, line.TooManyTags
		}
		taken++
		key, value, _ := bytes.Cut(tag, []byte{':'})
		key = bytes.TrimLeft(key, "#") // PHP clients write one before each tag
		if len(key) == 0 || len(value) == 0 && !t.options.SimpleTags {
			return 0, 0, line.BadTag
		}
		if t.isOriginTag(key, value) {
			continue
		}
		if t.options.MetricType && string(key) == metricTypeKey {
			replaced++
			continue
		}
		key = valid(key)
		if t.options.Cleaning == CleanPrometheus {
			start := len(t.keys)
			t.keys = t.options.Cleaning.appendKey(t.keys, key)
			cleaned = cleaned || !bytes.Equal(t.keys[start:], key)
			key = t.keys[start:]
		}
		t.tags = append(t.tags, rawTag{key, valid(value)})
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

	t.key = append(t.key, '|')
	for _, tag := range t.tags {
		t.key = appendTag(t.key, tag)
	}
	return nameLen, newSpelling(replaced+all-len(t.tags), cleaned), line.OK
}

// spelling is what aliases remember of the way a series is written: how many tags are dropped because another one has
// their key, and in the highest bit whether the name or a key was cleaned. A line has too few bytes for more
// duplicates than fit.
type spelling uint16

const cleanedSpelling spelling = 1 << 15

func newSpelling(duplicates int, cleaned bool) spelling {
	s := spelling(duplicates)
	if cleaned {
		s |= cleanedSpelling
	}
	return s
}

func (s spelling) duplicates() uint64 { return uint64(s &^ cleanedSpelling) }

func (s spelling) cleaned() uint64 { return uint64(s / cleanedSpelling) }

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
