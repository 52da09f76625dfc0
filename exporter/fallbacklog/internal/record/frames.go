package record

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
)

// Frames is the codec of OTLP protobuf in frames. Integers are little-endian:
//
//	 0  magic                f4 46 42 4c
//	 4  version              1
//	 5  zero
//	 8  length of the meta   bytes
//	12  length of the payload
//	16  CRC32C of meta and payload
//	20  CRC32C of the header, up to here
//	24  meta                 JSON, see Meta
//	    payload              an OTLP request in protobuf
//
// The header has a checksum of its own so that a damaged length is not followed. The first byte of the magic is none of
// a JSON line, and none of a protobuf message's first either.
type Frames struct{}

const (
	magic       = "\xf4FBL"
	version     = 1
	frameHeader = 24
	// maxMeta and maxPayload bound what a reader takes into memory for one record. No receiver of the distribution
	// takes a request of that size.
	maxMeta    = 16 << 20
	maxPayload = 1 << 30
)

// ErrTooLarge says that a payload, or the metadata kept with it, is larger than a frame may be.
var ErrTooLarge = errors.New("larger than a frame of the log may be")

// Extension is our own.
func (Frames) Extension() string { return ".otlp" }

// Encoding is protobuf.
func (Frames) Encoding() Encoding { return Proto }

// Append appends the frame for payload to dst.
func (Frames) Append(dst, payload []byte, m Meta) ([]byte, error) {
	meta, err := json.Marshal(m)
	if err != nil {
		return dst, fmt.Errorf("encode the meta: %w", err)
	}
	if len(meta) > maxMeta || len(payload) > maxPayload {
		return dst, fmt.Errorf("%w: %d bytes", ErrTooLarge, len(meta)+len(payload))
	}
	start := len(dst)
	dst = append(dst, magic...)
	dst = append(dst, version, 0, 0, 0)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(meta)))    //nolint:gosec // bounded above
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(payload))) //nolint:gosec // bounded above
	dst = binary.LittleEndian.AppendUint32(dst, crc32.Update(crc32.Checksum(meta, castagnoli), castagnoli, payload))
	dst = binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
	dst = append(dst, meta...)
	return append(dst, payload...), nil
}

// header returns the lengths in a frame's header; ok is false where data does not begin with a whole, verified one.
func header(data []byte) (meta, payload int, ok bool) {
	if len(data) < frameHeader || !bytes.HasPrefix(data, []byte(magic)) ||
		crc32.Checksum(data[:frameHeader-4], castagnoli) != binary.LittleEndian.Uint32(data[frameHeader-4:]) ||
		data[4] != version {
		return 0, 0, false
	}
	meta = int(binary.LittleEndian.Uint32(data[8:]))
	payload = int(binary.LittleEndian.Uint32(data[12:]))
	return meta, payload, meta <= maxMeta && payload <= maxPayload
}

// Next returns the first record of data. Where the header is whole its lengths are trusted, so that nothing inside a
// payload, which senders write, is taken for a record; where it is not, the next whole header is looked for.
func (Frames) Next(data []byte, final bool) (record []byte, n int) {
	meta, payload, ok := header(data)
	if ok {
		n = frameHeader + meta + payload
		switch {
		case len(data) < n:
			return nil, 0
		case verifyFrame(data[:n]):
			return data[:n], n
		}
		return nil, n
	}
	if len(data) < frameHeader && (!final || bytes.HasPrefix(data, []byte(magic)[:min(len(data), len(magic))])) {
		return nil, 0
	}
	return nil, nextFrame(data, final)
}

// nextFrame returns how much of data is certain not to be the beginning of a frame, at least one byte.
func nextFrame(data []byte, final bool) int {
	for from := 1; ; from++ {
		i := bytes.Index(data[from:], []byte(magic))
		if i < 0 {
			break
		}
		from += i
		if len(data)-from < frameHeader {
			return from
		}
		if _, _, ok := header(data[from:]); ok {
			return from
		}
	}
	if final {
		return len(data)
	}
	return max(1, len(data)-len(magic)+1) // a part of a magic may be the beginning of one
}

func verifyFrame(frame []byte) bool {
	return crc32.Checksum(frame[frameHeader:], castagnoli) == binary.LittleEndian.Uint32(frame[frameHeader-8:])
}

// Split verifies a frame and returns its meta and its payload.
func (Frames) Split(frame []byte) (Meta, []byte, error) {
	meta, payload, ok := header(frame)
	if !ok || len(frame) != frameHeader+meta+payload || !verifyFrame(frame) {
		return Meta{}, nil, ErrDamaged
	}
	var m Meta
	if err := json.Unmarshal(frame[frameHeader:frameHeader+meta], &m); err != nil {
		return Meta{}, nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return m, frame[frameHeader+meta:], nil
}
