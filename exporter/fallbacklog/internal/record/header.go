package record

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
)

// header is the header of a frame. Integers are little-endian:
//
//	 0  magic                      f4 46 42 4c
//	 4  version                    1 or 2
//	 5  flags                      1: the payload is compressed (zstd), 2: meta and payload are encrypted; version 1: 0
//	 6  zero
//	 8  length of the meta
//	12  length of the payload as written
//
// Version 1 continues with
//
//	16  CRC32C of the bytes after the header
//	20  CRC32C of the header up to here
//	24  meta, payload
//
// Version 2 continues with
//
//	16  length of the payload before compression
//	20  id of the key; zero without one
//	28  CRC32C of the bytes after the header
//	32  CRC32C of the header up to here
//	36  meta, payload; if encrypted: a nonce of 12 bytes and the AES-256-GCM ciphertext of both, with its tag of 16 bytes
//	    last. The bytes of the header up to 28 are authenticated, too.
//
// The header has a checksum of its own, so that a damaged length is not used. The first byte of the magic begins neither a JSON
// line nor a protobuf message. Lengths and checksums are not encrypted and cover the bytes as written, so a log is recovered,
// verified and repaired without its key.
type header struct {
	version, flags byte
	meta           int
	payload        int // size as written
	uncompressed   int // size of the payload before compression
	key            keyID
	sum            uint32 // of the bytes after the header
}

const (
	magic     = "\xf4FBL"
	minHeader = 24 // of version 1

	zstdPayload = 1
	encrypted   = 2

	// authenticated is the number of bytes of an encrypted version 2 header that are authenticated.
	authenticated = 28
)

// size returns the size of the header.
func (h header) size() int {
	if h.version == 1 {
		return minHeader
	}
	return 36
}

// frame returns the size of header and body.
func (h header) frame() int {
	n := h.size() + h.meta + h.payload
	if h.flags&encrypted != 0 {
		n += nonceSize + tagSize
	}
	return n
}

// put writes the header without its checksums.
func (h header) put(b []byte) {
	clear(b[:h.size()])
	copy(b, magic)
	b[4], b[5] = h.version, h.flags
	binary.LittleEndian.PutUint32(b[8:], uint32(h.meta))     //nolint:gosec // at most maxMeta
	binary.LittleEndian.PutUint32(b[12:], uint32(h.payload)) //nolint:gosec // at most maxPayload
	if h.version > 1 {
		binary.LittleEndian.PutUint32(b[16:], uint32(h.uncompressed)) //nolint:gosec // at most maxPayload
		copy(b[20:], h.key[:])
	}
}

// putSums writes the checksums.
func (h header) putSums(b []byte, body uint32) {
	n := h.size()
	binary.LittleEndian.PutUint32(b[n-8:], body)
	binary.LittleEndian.PutUint32(b[n-4:], crc32.Checksum(b[:n-4], castagnoli))
}

// matchesSum reports whether the body of a frame matches its checksum.
func (h header) matchesSum(frame []byte) bool {
	return crc32.Checksum(frame[h.size():], castagnoli) == h.sum
}

// state is the result of readHeader.
type state int

const (
	none  state = iota // no header
	short              // data may be the beginning of a header
	whole
)

// readHeader reads the header at the front of data.
func readHeader(data []byte) (h header, s state) {
	if !bytes.HasPrefix(data, []byte(magic)[:min(len(data), len(magic))]) {
		return header{}, none
	}
	if len(data) <= 4 {
		return header{}, short
	}
	h.version = data[4]
	if h.version != 1 && h.version != 2 {
		return header{}, none
	}
	n := h.size()
	if len(data) < n {
		return header{}, short
	}
	if crc32.Checksum(data[:n-4], castagnoli) != binary.LittleEndian.Uint32(data[n-4:]) {
		return header{}, none
	}
	h.flags = data[5]
	h.meta = int(binary.LittleEndian.Uint32(data[8:]))
	h.payload = int(binary.LittleEndian.Uint32(data[12:]))
	h.uncompressed = h.payload
	h.sum = binary.LittleEndian.Uint32(data[n-8:])
	if h.version > 1 {
		h.uncompressed = int(binary.LittleEndian.Uint32(data[16:]))
		h.key = keyID(data[20:28])
	}
	known := byte(0)
	if h.version > 1 {
		known = zstdPayload | encrypted
	}
	if h.flags&^known != 0 || h.meta > maxMeta || h.payload > maxPayload || h.flags&zstdPayload != 0 && h.uncompressed > maxUncompressed {
		return header{}, none
	}
	return h, whole
}
