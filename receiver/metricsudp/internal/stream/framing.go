package stream

import (
	"bytes"
	"encoding/binary"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/socket"
)

// Framing is the way in which a stream is divided into lines or frames.
type Framing uint8

// The framings.
const (
	Newline Framing = iota // a newline ends each line
	Length                 // each frame of lines comes after its length, 32 bits in little-endian order
)

// lengthBytes is the size of a frame's length, in bytes.
const lengthBytes = 4

// buffer contains the bytes that a connection has read and not handed over yet.
type buffer struct {
	framing  Framing
	maxBytes int // maximum length of a line or a frame
	data     []byte
	size     int  // number of filled bytes in data
	begin    int  // index of the first line or frame that is not complete
	skipping bool // skip the rest of an overlong line

	datagrams []socket.Datagram // complete lines or frames in data
}

const firstBufferBytes = 4096

// maxFrames bounds the frames that split finds at once, and so the memory of datagrams: a frame may have a single byte.
const maxFrames = 256

func newBuffer(f Framing, maxBytes int) *buffer {
	b := &buffer{framing: f, maxBytes: maxBytes}
	b.data = make([]byte, min(firstBufferBytes, b.maxBufferBytes()))
	return b
}

// maxBufferBytes returns the size up to which the buffer grows: a line with its newline, or a frame with its length.
func (b *buffer) maxBufferBytes() int {
	if b.framing == Length {
		return lengthBytes + b.maxBytes
	}
	return b.maxBytes + 1
}

// room returns the free part of the buffer, which is never empty. It drops the datagrams, moves the incomplete rest to the
// front, and grows the buffer if it is full.
func (b *buffer) room() []byte {
	full := b.size == len(b.data)
	b.datagrams = b.datagrams[:0]
	b.size = copy(b.data, b.data[b.begin:b.size])
	b.begin = 0
	if full && len(b.data) < b.maxBufferBytes() {
		grown := make([]byte, min(2*len(b.data), b.maxBufferBytes()))
		copy(grown, b.data[:b.size])
		b.data = grown
	}
	return b.data[b.size:]
}

// split finds the datagrams after n more bytes were read. It reports false if a frame is longer than allowed. If it finds
// maxFrames, there may be more: next finds them.
func (b *buffer) split(n int) bool {
	b.size += n
	if b.framing == Length {
		return b.splitFrames()
	}
	b.splitLines(n)
	return true
}

// next drops the datagrams and finds the next ones in the bytes that were read.
func (b *buffer) next() bool {
	b.datagrams = b.datagrams[:0]
	return b.split(0)
}

// splitFrames makes a datagram of each complete frame, up to maxFrames.
func (b *buffer) splitFrames() bool {
	for b.size-b.begin >= lengthBytes && len(b.datagrams) < maxFrames {
		length := binary.LittleEndian.Uint32(b.data[b.begin:])
		if uint64(length) > uint64(b.maxBytes) {
			return false
		}
		from := b.begin + lengthBytes
		if b.size-from < int(length) {
			return true
		}
		b.begin = from + int(length)
		if length > 0 {
			b.datagrams = append(b.datagrams, socket.Datagram{Payload: b.data[from:b.begin]})
		}
	}
	return true
}

// splitLines makes one datagram of all complete lines. Only the newest n bytes can contain their last newline. The beginning of an
// overlong line becomes a truncated datagram, and its rest is skipped.
func (b *buffer) splitLines(n int) {
	if b.skipping {
		end := bytes.IndexByte(b.data[b.begin:b.size], '\n')
		if end < 0 {
			b.begin = b.size
			return
		}
		b.begin += end + 1
		b.skipping = false
	}
	newest := max(b.size-n, b.begin)
	if end := bytes.LastIndexByte(b.data[newest:b.size], '\n'); end >= 0 {
		end += newest + 1
		b.datagrams = append(b.datagrams, socket.Datagram{Payload: b.data[b.begin:end]})
		b.begin = end
	}
	if b.size-b.begin > b.maxBytes {
		b.truncate()
		b.skipping = true
	}
}

// finish makes a datagram of the rest at the end of the stream. If the sender closed the stream, the rest is a complete line. An
// incomplete frame, or any other end of the stream, truncates the last line.
func (b *buffer) finish(closed bool) {
	if b.framing == Length {
		b.begin = min(b.begin+lengthBytes, b.size)
	}
	switch {
	case b.begin == b.size || b.skipping:
	case closed && b.framing == Newline:
		b.datagrams = append(b.datagrams, socket.Datagram{Payload: b.data[b.begin:b.size]})
	default:
		b.truncate()
	}
	b.begin = b.size
}

func (b *buffer) truncate() {
	b.datagrams = append(b.datagrams, socket.Datagram{Payload: b.data[b.begin:b.size], Truncated: true})
	b.begin = b.size
}
