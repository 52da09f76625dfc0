package line

import "bytes"

// Format is the way in which a name contains tags. Its names are values of the key tag_formats and of the telemetry attribute
// "format".
type Format uint8

// The formats. A plain name contains no tags.
const (
	Plain    Format = iota
	Influx          // name,key=value,key=value
	Librato         // name#key=value,key=value
	SignalFx        // name[key=value,key=value]rest of the name
	Graphite        // name;key=value;key=value
	Lyft            // name.__key=value.__key=value
	Formats         // number of formats
)

var formatNames = [Formats]string{
	Plain: "plain", Influx: "influx", Librato: "librato", SignalFx: "signalfx", Graphite: "graphite", Lyft: "lyft",
}

func (f Format) String() string {
	if f < Formats {
		return formatNames[f]
	}
	return "unknown"
}

// FormatSet is a set of formats.
type FormatSet uint8

// Add puts a format into the set.
func (s *FormatSet) Add(f Format) { *s |= 1 << f }

// Has reports whether the set has a format.
func (s FormatSet) Has(f Format) bool { return s>>f&1 != 0 }

// delimiters maps each byte that may end a plain name to its format.
var delimiters = [256]Format{',': Influx, '#': Librato, '[': SignalFx, ';': Graphite, '.': Lyft}

// lyftDelimiter begins each tag of a Lyft name.
//
// https://github.com/lyft/gostats, internal/tags
var lyftDelimiter = []byte(".__")

// nameEnd returns the format of the tags in the line's name, the index at which they begin, and the index of the colon that ends
// the name with its tags.
//
// The first delimiter of a format in the set ends the plain name. Tags of Influx, Librato and Graphite may contain colons, so
// their name ends at the last colon before the type. The brackets of SignalFx may contain colons, the rest of the name may not.
// Lyft's client replaces colons.
func (s FormatSet) nameEnd(b []byte) (format Format, tags, colon int, reason Reason) {
	for i, c := range b {
		if c == ':' {
			return Plain, 0, i, OK
		}
		if c == '|' {
			break
		}
		if f := delimiters[c]; f != Plain && s.Has(f) && (f != Lyft || isLyftTag(b[i:])) {
			format, tags = f, i
			break
		}
	}
	if format == Plain {
		return Plain, 0, bytes.IndexByte(b, ':'), OK
	}
	head := b
	if bar := bytes.IndexByte(b, '|'); bar >= 0 {
		head = b[:bar]
	}
	switch format {
	case SignalFx:
		end := bytes.IndexByte(head[tags:], ']')
		if end < 0 {
			return format, tags, 0, BadTag
		}
		end += tags
		if colon = bytes.IndexByte(head[end:], ':'); colon >= 0 {
			colon += end
		}
	case Lyft:
		colon = bytes.IndexByte(head, ':')
	default:
		colon = bytes.LastIndexByte(head, ':')
	}
	return format, tags, colon, OK
}

// isLyftTag reports whether b begins with a delimiter, a key and an equals sign. A name such as module.__init__.calls contains no
// tag.
func isLyftTag(b []byte) bool {
	rest, ok := bytes.CutPrefix(b, lyftDelimiter)
	if !ok {
		return false
	}
	for i, c := range rest {
		if c == '=' {
			return i > 0
		}
		if c == ':' || c == '|' || delimiters[c] != Plain {
			return false
		}
	}
	return false
}

// NameParts returns the plain name before the tags, the tags, and the plain name after them. Only SignalFx has a name after the
// tags.
func (l *Line) NameParts() (before, tags, after []byte) {
	before, tags = l.Name[:l.nameTags], l.Name[l.nameTags:]
	switch l.Format {
	case Plain:
		return l.Name, nil, nil
	case SignalFx:
		end := bytes.IndexByte(tags, ']')
		return before, tags[1:end], tags[end+1:]
	case Lyft:
		return before, tags[len(lyftDelimiter):], nil
	}
	return before, tags[1:], nil
}

// CutTag splits tags into the first tag and the rest, without the separator between them. [Plain] is the format of the tag field.
func (f Format) CutTag(tags []byte) (tag, rest []byte) {
	switch f {
	case Lyft:
		return cutLyftTag(tags)
	case Graphite:
		tag, rest, _ = bytes.Cut(tags, []byte{';'})
	default:
		tag, rest, _ = bytes.Cut(tags, []byte{','})
	}
	return tag, rest
}

// cutLyftTag splits at the first delimiter that begins a tag.
func cutLyftTag(tags []byte) (tag, rest []byte) {
	for at := 0; ; at += len(lyftDelimiter) {
		next := bytes.Index(tags[at:], lyftDelimiter)
		if next < 0 {
			return tags, nil
		}
		if at += next; isLyftTag(tags[at:]) {
			return tags[:at], tags[at+len(lyftDelimiter):]
		}
	}
}

// CutValue splits a tag into key and value. Both may be empty.
func (f Format) CutValue(tag []byte) (key, value []byte) {
	assign := byte('=')
	if f == Plain {
		assign = ':'
	}
	key, value, _ = bytes.Cut(tag, []byte{assign})
	return key, value
}

// Suspect returns the format whose tags a plain name seems to contain: that of the first delimiter before a key and an equals
// sign. Without such a delimiter it returns Plain.
func Suspect(name []byte) Format {
	for i, c := range name {
		switch f := delimiters[c]; f {
		case Plain:
		case Lyft:
			if isLyftTag(name[i:]) {
				return Lyft
			}
		default:
			if equals := bytes.IndexByte(name[i+1:], '='); equals > 0 {
				return f
			}
		}
	}
	return Plain
}
