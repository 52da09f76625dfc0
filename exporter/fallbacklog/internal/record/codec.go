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
	// Split verifies a record as Next returns it and returns what it says of itself, and its payload, a part of it.
	Split(record []byte) (m Meta, payload []byte, err error)
}

var (
	_ Codec = Lines{}
	_ Codec = Frames{}
)

// Of returns the codec of a record as Next returns it: their first bytes differ.
func Of(record []byte) Codec {
	if bytes.HasPrefix(record, []byte(magic)) {
		return Frames{}
	}
	return Lines{}
}

// Parse verifies a record of either codec, as Next returns it, and returns what it says of itself.
func Parse(record []byte) (Meta, error) {
	m, _, err := Of(record).Split(record)
	return m, err
}

// Copy returns the bytes that put a record of either codec, as Next returns it, into a segment of c. The payload of the
// other codec stays as it is; where c cannot hold it, it is base64 in the member "undecoded". So it is for records that
// cannot be decoded.
func Copy(c Codec, record []byte) ([]byte, error) {
	from := Of(record)
	switch {
	case from == c && from == Codec(Lines{}):
		return append(bytes.Clone(record), '\n'), nil
	case from == c:
		return record, nil
	}
	m, payload, err := from.Split(record)
	if err != nil {
		return nil, err
	}
	if c.Encoding() == JSON {
		payload = fmt.Appendf(nil, `{"undecoded":"%s"}`, base64.StdEncoding.EncodeToString(payload))
	}
	return c.Append(nil, payload, m)
}
