package series

import (
	"bytes"
	"slices"
	"unicode/utf8"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
)

// rawTag points into a line, or into a copy if the line was not valid UTF-8.
type rawTag struct{ key, value []byte }

var replacement = []byte(string(utf8.RuneError))

// canonical writes the identity of a line's series to t.key: kind, name and tags, in valid UTF-8. The tags are sorted by key and
// have no duplicates. The separators are bytes that a name, a key or a value cannot contain in any format, so two different
// series never have the same identity:
//
//	<kind>name|key\nvalue|key\nvalue|
//
// If several tags have the same key, the one with the greatest value counts, so the result does not depend on their order. A
// tag without a value has the empty value, if Options.SimpleTags accepts it. With Options.MetricType the kind becomes a tag,
// and a tag with the same key from the sender counts as a duplicate. Tags that describe the origin are left out.
// Options.Cleaning rewrites name and keys.
func (t *Table) canonical(l *line.Line) (nameLen int, found spelling, reason line.Reason) {
	if bytes.IndexByte(l.Name, '|') >= 0 {
		return 0, 0, line.NoValue // the colon after the bar belongs to a tag; only new lines need this check
	}
	before, tags, after := l.NameParts()
	if l.Format == line.Plain {
		tags = l.Tags
	}
	t.name = append(append(t.name[:0], before...), after...)
	cleanedName := t.canonicalName(l.Kind)
	nameLen = len(t.key) - 1
	if nameLen == 0 {
		return 0, 0, line.NoName
	}
	replaced, cleanedKeys, reason := t.readTags(l.Format, tags)
	if reason != line.OK {
		return 0, 0, reason
	}
	if t.options.MetricType {
		t.tags = append(t.tags, rawTag{[]byte(metricTypeKey), []byte(metricTypes[l.Kind])})
	}
	slices.SortFunc(t.tags, func(a, b rawTag) int {
		if c := bytes.Compare(a.key, b.key); c != 0 {
			return c
		}
		return bytes.Compare(b.value, a.value) // the greatest value first, because CompactFunc keeps the first
	})
	all := len(t.tags)
	t.tags = slices.CompactFunc(t.tags, func(a, b rawTag) bool { return bytes.Equal(a.key, b.key) })

	t.key = append(t.key, tagEnd)
	for _, tag := range t.tags {
		t.key = appendTag(t.key, tag)
	}
	return nameLen, newSpelling(replaced+all-len(t.tags), cleanedName || cleanedKeys), line.OK
}

// canonicalName begins the identity with the kind and the name, and reports whether the name was cleaned.
func (t *Table) canonicalName(kind line.Kind) (cleaned bool) {
	name := valid(t.name)
	if t.options.Cleaning != CleanEtsy { // CleanEtsy replaces blanks by _
		name = line.TrimBlanks(name)
	}
	t.key = t.options.Cleaning.appendName(append(t.key[:0], byte(kind)), name)
	return !bytes.Equal(t.key[1:], name)
}

// readTags reads the tags of a line into t.tags. It returns how many tags the attribute metric_type replaces, and whether a key
// was cleaned.
func (t *Table) readTags(format line.Format, tags []byte) (replaced int, cleaned bool, reason line.Reason) {
	t.tags, t.keys, t.entity = t.tags[:0], t.keys[:0], nil
	for n := 0; len(tags) > 0; {
		var tag []byte
		tag, tags = format.CutTag(tags)
		tag = bytes.TrimLeft(tag, "#") // some PHP clients write one before each tag
		if len(tag) == 0 {
			continue
		}
		if n++; n > t.options.MaxTags {
			return 0, false, line.TooManyTags
		}
		key, value := format.CutValue(tag)
		if len(key) == 0 || len(value) == 0 && !t.options.SimpleTags {
			return 0, false, line.BadTag
		}
		if isOriginTag(&t.entity, key, value) {
			continue
		}
		key = valid(key)
		if t.options.Cleaning == CleanPrometheus {
			start := len(t.keys)
			t.keys = t.options.Cleaning.appendKey(t.keys, key)
			cleaned = cleaned || !bytes.Equal(t.keys[start:], key)
			key = t.keys[start:]
		}
		if t.options.MetricType && string(key) == metricTypeKey {
			replaced++
			continue
		}
		t.tags = append(t.tags, rawTag{key, valid(value)})
	}
	return replaced, cleaned, line.OK
}

// spelling describes how a line writes its series. The lower bits are the number of tags that are dropped because another tag
// has the same key. The highest bit is set if the name or a key was cleaned. The number fits, because a line of the greatest
// length has fewer tags.
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
	return append(append(append(append(to, t.key...), keyEnd), t.value...), tagEnd)
}

// The separators of identities. A line contains no line ending, and a bar ends a name and a tag field.
const (
	keyEnd = '\n'
	tagEnd = '|'
)

const metricTypeKey = "metric_type"

// metricTypes are the values of the attribute metric_type, as in contrib's statsd receiver, which has no sets.
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
