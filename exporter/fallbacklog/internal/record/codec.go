package record

import (
	"bytes"
	"encoding/base64"
	"fmt"
)

// Encoding is how a payload, an OTLP request, is encoded.
type Encoding int

// The encodings of OTLP.
const (
	JSON Encoding = iota
	Proto
)

// Codec writes records and finds them again: Lines or Frames. Implementations keep no state.
type Codec interface {
	// Extension of the files that hold such records, with the dot.
	Extension() string
	// Encoding of the payloads that Append takes.
	Encoding() Encoding
	// Append appends the record for payload to dst, with all that separates it from the next one.
	Append(dst, payload []byte, m Meta) ([]byte, error)
	// Next finds the first record of data. See segment.Format.
	Next(data []byte, final bool) (record []byte, n int)
	// Split verifies a record as Next returns it and returns what it says of itself, and its payload, which may be a part
	// of it.
	Split(record []byte) (m Meta, payload []byte, err error)
}

var (
	_ Codec = Lines{}
	_ Codec = Frames{}
)

// Reader reads records of every codec, as Next returns them.
type Reader struct {
	Key *Key // of those that are encrypted; nil: none can be read
}

// Of returns the codec of a record: their first bytes differ.
func (r Reader) Of(record []byte) Codec {
	if isFrame(record) {
		return Frames{Key: r.Key}
	}
	return Lines{}
}

func isFrame(record []byte) bool { return bytes.HasPrefix(record, []byte(magic)) }

// Parse verifies a record and returns what it says of itself.
func (r Reader) Parse(record []byte) (Meta, error) {
	if isFrame(record) {
		return Frames{Key: r.Key}.parse(record)
	}
	m, _, err := Lines{}.Split(record)
	return m, err
}

// Parse is a Reader's without a key.
func Parse(record []byte) (Meta, error) { return Reader{}.Parse(record) }

// Size of a record before it was compressed: what its payload takes when it is sent.
func Size(record []byte) int {
	if h, state := readHead(record); state == whole {
		return len(record) - h.payload + h.plain
	}
	return len(record)
}

// Copy returns the bytes that put a record into a segment of c. The payload of the other codec stays as it is; where c
// cannot hold it, it is base64 in the member "undecoded". So it is for records that cannot be decoded. What is not
// encrypted is where c encrypts; what is stays as it is, and needs no key where c is Frames.
func (r Reader) Copy(c Codec, record []byte) ([]byte, error) {
	lines, toLines := !isFrame(record), c.Encoding() == JSON
	switch {
	case lines && toLines:
		return append(bytes.Clone(record), '\n'), nil
	case !lines && !toLines && (c.(Frames).Key == nil || isEncrypted(record)): // the one of this encoding
		return record, nil
	}
	m, payload, err := r.Of(record).Split(record)
	if err != nil {
		return nil, err
	}
	if toLines {
		payload = fmt.Appendf(nil, `{"undecoded":"%s"}`, base64.StdEncoding.EncodeToString(payload))
	}
	return c.Append(nil, payload, m)
}

func isEncrypted(record []byte) bool {
	h, state := readHead(record)
	return state == whole && h.flags&encrypted != 0
}
