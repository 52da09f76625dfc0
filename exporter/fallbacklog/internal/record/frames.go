package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
)

// Frames is the codec of OTLP protobuf. A frame is a header (see header), the Meta as JSON, and the request. A frame that is
// neither compressed nor encrypted has a header of version 1.
type Frames struct {
	// Zstd compresses payloads, unless that makes them larger.
	Zstd bool
	// Key encrypts meta and payload together, and decrypts them. nil: frames are written unencrypted.
	Key *Key
}

const (
	// maxMeta and maxPayload bound the memory that a reader needs for one record. No receiver of the distribution accepts a
	// request of that size.
	maxMeta    = 16 << 20
	maxPayload = 1 << 30
)

// ErrTooLarge means that a payload or its metadata exceeds the limits of a frame.
var ErrTooLarge = errors.New("larger than a frame of the log may be")

// Extension returns ".otlp", which no other format uses.
func (Frames) Extension() string { return ".otlp" }

// Encoding returns Proto.
func (Frames) Encoding() Encoding { return Proto }

// Append appends the frame for payload to dst.
func (f Frames) Append(dst, payload []byte, m Meta) ([]byte, error) {
	meta, err := json.Marshal(m)
	if err != nil {
		return dst, fmt.Errorf("encode the meta: %w", err)
	}
	if len(meta) > maxMeta || len(payload) > maxPayload {
		return dst, fmt.Errorf("%w: %d bytes", ErrTooLarge, len(meta)+len(payload))
	}
	h := header{version: 1, meta: len(meta), payload: len(payload), uncompressed: len(payload)}
	if f.Zstd {
		if compressed, ok := compress(payload); ok {
			defer scratch.Put(&compressed)
			h.version, h.flags, h.payload = 2, zstdPayload, len(compressed)
			payload = compressed
		}
	}
	if f.Key != nil {
		h.version, h.flags, h.key = 2, h.flags|encrypted, f.Key.id
	}
	start, body := len(dst), len(dst)+h.size()
	dst = slices.Grow(dst, h.frame())[:body]
	h.put(dst[start:])
	if f.Key != nil {
		dst, err = f.Key.encrypt(dst, dst[start:start+authenticated], meta, payload)
		if err != nil {
			return dst[:start], err
		}
	} else {
		dst = append(append(dst, meta...), payload...)
	}
	h.putSums(dst[start:body], crc32.Checksum(dst[body:], castagnoli))
	return dst, nil
}

// Next returns the first record of data. If the header is whole its lengths are trusted, so bytes inside a payload, which
// senders choose, are never parsed as a record. Otherwise Next looks for the next whole header. It needs no key.
func (Frames) Next(data []byte, final bool) (record []byte, n int) {
	h, state := readHeader(data)
	switch {
	case state == whole:
		n = h.frame()
		switch {
		case len(data) < n:
			return nil, 0
		case h.matchesSum(data[:n]):
			return data[:n], n
		}
		return nil, n
	case state == short:
		return nil, 0 // if final is true the frame is torn
	case !final && len(data) < minHeader:
		return nil, 0
	}
	return nil, nextFrame(data, final)
}

// nextFrame returns how many bytes of data, at least one, are certainly not the beginning of a frame.
func nextFrame(data []byte, final bool) int {
	for from := 1; ; from++ {
		i := bytes.Index(data[from:], []byte(magic))
		if i < 0 {
			break
		}
		from += i
		if _, state := readHeader(data[from:]); state != none {
			return from
		}
	}
	if final {
		return len(data)
	}
	return max(1, len(data)-len(magic)+1) // the last bytes may be the beginning of a magic
}

// Split verifies a frame and returns its Meta and its payload. It fails with ErrKey if the frame is encrypted with another key,
// and with ErrDamaged if it was changed.
func (f Frames) Split(frame []byte) (Meta, []byte, error) {
	m, payload, h, err := f.decode(frame)
	if err != nil || h.flags&zstdPayload == 0 {
		return m, payload, err
	}
	payload, err = decompress(payload, h.uncompressed)
	return m, payload, err
}

// parse is Split without the decompression of the payload.
func (f Frames) parse(frame []byte) (Meta, error) {
	m, _, _, err := f.decode(frame)
	return m, err
}

// decode verifies and decrypts a frame. The payload may still be compressed.
func (f Frames) decode(frame []byte) (Meta, []byte, header, error) {
	h, state := readHeader(frame)
	if state != whole || len(frame) != h.frame() || !h.matchesSum(frame) {
		return Meta{}, nil, h, ErrDamaged
	}
	body := frame[h.size():]
	if h.flags&encrypted != 0 {
		if f.Key == nil || f.Key.id != h.key {
			return Meta{}, nil, h, &keyError{Need: h.key, Have: f.Key}
		}
		var err error
		if body, err = f.Key.decrypt(frame[:authenticated], body); err != nil {
			return Meta{}, nil, h, err
		}
	}
	var m Meta
	if err := json.Unmarshal(body[:h.meta], &m); err != nil {
		return Meta{}, nil, h, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return m, body[h.meta:], h, nil
}
