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
	title, okTitle := number(b[:comma])
	text, okText := number(b[comma+1 : brace])
	if !okTitle || !okText || !title.Whole || !text.Whole || title.Signed || text.Signed || title.Int == 0 {
		return BadAnnotation
	}
	content := b[brace+2:]
	size := int64(len(content))
	if title.Int >= size || text.Int > size-title.Int-1 || content[title.Int] != '|' {
		return BadAnnotation
	}
	if after := content[title.Int+1+text.Int:]; len(after) > 0 && after[0] != '|' {
		return BadAnnotation
	}
	return OK
}

// serviceCheck checks that the line has a name and a status from 0 to 3.
func serviceCheck(b []byte) Reason {
	name, rest, ok := bytes.Cut(b, []byte{'|'})
	if !ok || len(name) == 0 || len(rest) == 0 || rest[0]-'0' > 3 || (len(rest) > 1 && rest[1] != '|') {
		return BadAnnotation
	}
	return OK
}
