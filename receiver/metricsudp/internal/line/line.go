// Package line parses StatsD and DogStatsD lines.
//
// [Parse] splits one line into slices of the input and numbers. It does not allocate in steady state, and never panics on a line that is not empty. Its time
// is linear in the length of the line, because a sample rate is a divisor, not a number of repetitions.
//
//	name:value[:value...]|type[|@rate][|#tag,tag...][|T<unix>][|c:<container>][|e:<external>][|card:<cardinality>]
//
// Blanks around a value or the type are skipped. The caller removes those around the name. The fields after the type may have any
// order. If a kind of field occurs twice, the last one counts. Empty fields are skipped, and so are fields of an unknown kind
// unless [Limits] refuses them. A line with a second type is refused. A name may contain tags instead of the field #, see
// [Format].
//
// https://docs.datadoghq.com/developers/dogstatsd/datagram_shell/ (protocol v1.0 to v1.6)
package line

import (
	"bytes"
	"math"
)

// Line is one parsed line. Its slices point into the input.
type Line struct {
	Kind      Kind
	Name      []byte  // with the tags that it contains in its format
	Format    Format  // of the tags in Name
	Values    []Value // reused from line to line; empty for sets, events and service checks
	Member    []byte  // value of a set, which may contain colons
	Rate      float64 // 0 < Rate <= 1
	Tags      []byte  // unparsed text after '#'
	Container []byte  // field c:
	External  []byte  // field e:
	Timestamp int64   // field T, in seconds since the Unix epoch; 0 without the field

	// Origin identifies the sender, by which series are separated in addition to name, kind and tags. Parse leaves it
	// unchanged; the caller sets it.
	Origin []byte

	nameTags int // index at which the tags in Name begin, unless Format is Plain
}

// Limits bounds the lines that Parse accepts.
type Limits struct {
	NameBytes int     // longest metric name
	TagBytes  int     // longest tag field
	MinRate   float64 // smallest sample rate

	// NameFormats are the accepted formats of tags in names. Each line has one of them, or a tag field.
	NameFormats FormatSet
	NoTagField  bool // treat the field # as one of an unknown kind

	RefuseUnknown bool // refuse lines with a field of an unknown kind; otherwise skip the field
}

// Parse fills l from one line without its line ending. The line must not be empty.
func Parse(b []byte, l *Line, limits *Limits) Reason {
	if b[0] == '_' {
		if kind, reason, ok := annotation(b); ok {
			l.Kind = kind
			return reason
		}
	}
	colon := bytes.IndexByte(b, ':')
	l.Format = Plain
	if limits.NameFormats != 0 {
		var reason Reason
		if l.Format, l.nameTags, colon, reason = limits.NameFormats.nameEnd(b); reason != OK {
			return reason
		}
	}
	if colon < 0 {
		return NoValue
	}
	l.Name = b[:colon]
	if l.Format != Plain {
		if reason := l.checkName(limits); reason != OK {
			return reason
		}
	} else if colon == 0 {
		return NoName
	} else if colon > limits.NameBytes {
		return NameTooLong
	}
	rest := b[colon+1:]
	bar := bytes.IndexByte(rest, '|')
	if bar < 0 {
		return NoType
	}
	values, rest := rest[:bar], rest[bar+1:]

	// The type has one or two letters, so a loop is faster than bytes.IndexByte.
	end := 0
	for end < len(rest) && rest[end] != '|' {
		end++
	}
	if l.Kind = kindOf(rest[:end]); l.Kind == Invalid {
		if end == 0 {
			return NoType
		}
		return UnknownType
	}
	l.Rate, l.Timestamp = 1, 0
	l.Tags, l.Container, l.External = nil, nil, nil
	if end < len(rest) {
		if reason := l.fields(rest[end+1:], limits); reason != OK {
			return reason
		}
	}
	return l.values(values)
}

// checkName checks a name that contains tags.
func (l *Line) checkName(limits *Limits) Reason {
	before, tags, after := l.NameParts()
	switch n := len(before) + len(after); {
	case n == 0:
		return NoName
	case n > limits.NameBytes:
		return NameTooLong
	case len(tags) > limits.TagBytes:
		return TagsTooLong
	}
	return OK
}

// fields reads the fields after the type.
func (l *Line) fields(rest []byte, limits *Limits) Reason {
	for more := true; more; {
		field := rest
		bar := bytes.IndexByte(rest, '|')
		if more = bar >= 0; more {
			field, rest = rest[:bar], rest[bar+1:]
		}
		if len(field) == 0 {
			continue
		}
		known := true
		switch field[0] {
		case '#':
			if known = !limits.NoTagField; !known {
				break
			}
			if len(field)-1 > limits.TagBytes {
				return TagsTooLong
			}
			if l.Format != Plain {
				return MixedTags
			}
			l.Tags = field[1:]
		case '@':
			v, ok := number(field[1:])
			if !ok || !(v.Float > 0 && v.Float <= 1) {
				return BadRate
			}
			if v.Float < limits.MinRate {
				return RateTooSmall
			}
			l.Rate = v.Float
		case 'T':
			v, ok := number(field[1:])
			if !ok || !v.Whole || v.Int <= 0 || v.Int > maxTimestamp {
				return BadTimestamp
			}
			l.Timestamp = v.Int
		case 'c', 'e':
			known = l.origin(field)
		default:
			known = false
		}
		if !known {
			if l.isValueOrType(field) {
				return UnknownType
			}
			if limits.RefuseUnknown {
				return UnknownField
			}
		}
	}
	return OK
}

// isValueOrType reports whether a field is a second type or a second list of values, as in a:1|c|:2|c, which gives each value a
// type. To accept only the first values would make the sum wrong. A second list begins with a colon. It counts as one if any
// element between its colons is a number, or any text for a set.
func (l *Line) isValueOrType(field []byte) bool {
	field = TrimBlanks(field)
	values, ok := bytes.CutPrefix(field, colonPrefix)
	if !ok {
		return kindOf(field) != Invalid
	}
	for more := true; more; {
		var value []byte
		value, values, more = bytes.Cut(values, colonPrefix)
		if _, ok := number(value); ok || l.Kind == Set && len(value) > 0 {
			return true
		}
	}
	return false
}

var colonPrefix = []byte{':'}

// origin reads a field that identifies the line's sender. The field card: asks the Agent for tags of the sender, and has no
// effect here.
func (l *Line) origin(field []byte) (known bool) {
	if after, ok := bytes.CutPrefix(field, containerPrefix); ok {
		l.Container = after
		return true
	}
	if after, ok := bytes.CutPrefix(field, externalPrefix); ok {
		l.External = after
		return true
	}
	return bytes.HasPrefix(field, cardinalityPrefix)
}

var (
	containerPrefix   = []byte("c:")
	cardinalityPrefix = []byte("card:")
	externalPrefix    = []byte("e:")
)

// maxTimestamp is the last second whose nanoseconds fit into an int64 (in the year 2262).
const maxTimestamp = math.MaxInt64 / 1_000_000_000

// values reads the values of a line, which may have several. If one is invalid, the line is refused.
func (l *Line) values(b []byte) Reason {
	l.Values, l.Member = l.Values[:0], nil
	if l.Kind == Set {
		if len(b) == 0 {
			return NoValue
		}
		l.Member = b
		return OK
	}
	for more := true; more; {
		value := b
		colon := bytes.IndexByte(b, ':')
		if more = colon >= 0; more {
			value, b = b[:colon], b[colon+1:]
		}
		if len(value) == 0 {
			continue
		}
		v, ok := number(value)
		if !ok {
			return BadValue
		}
		if !(math.Abs(v.Float)/l.Rate <= maxMagnitude) {
			return OutOfRange
		}
		l.Values = append(l.Values, v)
	}
	if len(l.Values) == 0 {
		return NoValue
	}
	return OK
}

// maxMagnitude bounds a value divided by its sample rate, so that the sum of 10^18 such values is still a finite float64 (the
// largest is 1.8e308).
const maxMagnitude = 1e290
