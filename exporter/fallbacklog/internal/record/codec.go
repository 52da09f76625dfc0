package record

import (
	"bytes"
	"encoding/base64"
	"fmt"
)

// Encoding is the encoding of a payload, which is an OTLP request.
type Encoding int

// The encodings of OTLP.
const (
	JSON Encoding = iota
	Proto
)

// Codec writes records and finds them again. Lines and Frames implement it. Implementations keep no state.
type Codec interface {
	// Extension returns the extension of files with such records, with the dot.
	Extension() string
	// Encoding returns the encoding of the payloads that Append accepts.
	Encoding() Encoding
	// Append appends the record for payload to dst, including its terminator.
	Append(dst, payload []byte, m Meta) ([]byte, error)
	// Next finds the first record of data. See segment.Format.
	Next(data []byte, final bool) (record []byte, n int)
	// Split verifies a record that Next has returned, and returns its Meta and its payload, which may be a part of it.
	Split(record []byte) (m Meta, payload []byte, err error)
}

var (
	_ Codec = Lines{}
	_ Codec = Frames{}
)

// Reader reads records of every codec, as Next returns them.
type Reader struct {
	Key *Key // decrypts records; nil: encrypted records cannot be read
}

// CodecOf returns the codec of a record. The first byte identifies it.
func (r Reader) CodecOf(record []byte) Codec {
	if isFrame(record) {
		return Frames{Key: r.Key}
	}
	return Lines{}
}

func isFrame(record []byte) bool { return bytes.HasPrefix(record, []byte(magic)) }

// Parse verifies a record and returns its Meta.
func (r Reader) Parse(record []byte) (Meta, error) {
	if isFrame(record) {
		return Frames{Key: r.Key}.parse(record)
	}
	m, _, err := Lines{}.Split(record)
	return m, err
}

// Size returns the size of a record before compression: the memory that its payload needs when it is sent.
func Size(record []byte) int {
	if h, state := readHeader(record); state == whole {
		return len(record) - h.payload + h.uncompressed
	}
	return len(record)
}

// Copy returns the bytes that put a record into a segment of c. It is for records that cannot be decoded. A payload of the
// other encoding is copied unchanged to Frames, and as base64 in the member "undecoded" to Lines. If c encrypts, an unencrypted
// record is encrypted. An encrypted record is copied unchanged to Frames, which needs no key.
func (r Reader) Copy(c Codec, record []byte) ([]byte, error) {
	lines, toLines := !isFrame(record), c.Encoding() == JSON
	switch {
	case lines && toLines:
		return append(bytes.Clone(record), '\n'), nil
	case !lines && !toLines && (c.(Frames).Key == nil || isEncrypted(record)): // Frames is the only codec with this encoding
		return record, nil
	}
	m, payload, err := r.CodecOf(record).Split(record)
	if err != nil {
		return nil, err
	}
	if toLines {
		payload = fmt.Appendf(nil, `{"undecoded":"%s"}`, base64.StdEncoding.EncodeToString(payload))
	}
	return c.Append(nil, payload, m)
}

func isEncrypted(record []byte) bool {
	h, state := readHeader(record)
	return state == whole && h.flags&encrypted != 0
}
