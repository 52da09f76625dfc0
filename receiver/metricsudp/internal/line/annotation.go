package line

import "bytes"

var (
	eventPrefix        = []byte("_e{")
	serviceCheckPrefix = []byte("_sc|")
)

// annotation checks events, _e{title length,text length}:title|text, and service checks, _sc|name|status. For any other line,
// which is a metric, ok is false.
func annotation(b []byte) (kind Kind, reason Reason, ok bool) {
	switch {
	case bytes.HasPrefix(b, eventPrefix):
		return Event, event(b[len(eventPrefix):]), true
	case bytes.HasPrefix(b, serviceCheckPrefix):
		return ServiceCheck, serviceCheck(b[len(serviceCheckPrefix):]), true
	}
	return Invalid, OK, false
}

// event checks that title and text have the stated lengths.
func event(b []byte) Reason {
	brace := bytes.IndexByte(b, '}')
	comma := bytes.IndexByte(b, ',')
	if comma < 0 || brace < comma || brace+1 >= len(b) || b[brace+1] != ':' {
		return BadAnnotation
	}
	title, okTitle := length(b[:comma])
	text, okText := length(b[comma+1 : brace])
	if !okTitle || !okText || title == 0 {
		return BadAnnotation
	}
	content := b[brace+2:]
	size := int64(len(content))
	if title >= size || text > size-title-1 || content[title] != '|' {
		return BadAnnotation
	}
	if after := content[title+1+text:]; len(after) > 0 && after[0] != '|' {
		return BadAnnotation
	}
	return OK
}

// length parses a length, which has digits only.
func length(b []byte) (n int64, ok bool) {
	if len(b) == 0 || b[0]-'0' > 9 {
		return 0, false
	}
	return integer(b)
}

// serviceCheck checks that the line has a name and a status from 0 to 3.
func serviceCheck(b []byte) Reason {
	name, rest, ok := bytes.Cut(b, []byte{'|'})
	if !ok || len(name) == 0 || len(rest) == 0 || rest[0]-'0' > 3 || (len(rest) > 1 && rest[1] != '|') {
		return BadAnnotation
	}
	return OK
}
