package stream

import (
	"bytes"
	"encoding/binary"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/socket"
)

// Framing is what separates the parts of a stream.
type Framing uint8

// The framings.
const (
	Newline Framing = iota // a newline ends a line
	Length                 // a frame of lines follows its length, 32 bits in little-endian order
)

// lengthBytes is the size of a frame's length.
const lengthBytes = 4

// buffer has what a connection has read and not handed on yet.
type buffer struct {
	framing  Framing
	maxBytes int // of a line or a frame
	data     []byte
	size     int  // bytes of data that are filled
	begin    int  // of the part that is not whole yet
	skipping bool // the rest of an overlong line

	datagrams []socket.Datagram // whole lines or frames in data
}

const firstBufferBytes = 4096

func newBuffer(f Framing, maxBytes int) *buffer {
	b := &buffer{framing: f, maxBytes: maxBytes}
	b.data = make([]byte, min(firstBufferBytes, b.mostBytes()))
	return b
}

// mostBytes is how far the buffer grows: a line with its newline, or a frame with its length.
func (b *buffer) mostBytes() int {
	if b.framing == Length {
		return lengthBytes + b.maxBytes
	}
	return b.maxBytes + 1
}

// room returns the part of the buffer that is free, which is never empty. It drops the
// datagrams, moves what is not whole to the front, and grows the buffer when it is full.
func (b *buffer) room() []byte {
	full := b.size == len(b.data)
	b.datagrams = b.datagrams[:0]
	b.size = copy(b.data, b.data[b.begin:b.size])
	b.begin = 0
	if full && len(b.data) < b.mostBytes() {
		grown := make([]byte, min(2*len(b.data), b.mostBytes()))
		copy(grown, b.data[:b.size])
		b.data = grown
	}
	return b.data[b.size:]
}

// split finds the datagrams among n more bytes. It reports false for a frame that is longer
// than allowed.
func (b *buffer) split(n int) bool {
	b.size += n
	if b.framing == Length {
		return b.splitFrames()
	}
	b.splitLines(n)
	return true
}

// splitFrames makes each whole frame a datagram.
func (b *buffer) splitFrames() bool {
	for b.size-b.begin >= lengthBytes {
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

// splitLines makes the whole lines one datagram. Their ends may lie in the newest n bytes.
// The beginning of an overlong line is a truncated datagram; its rest is skipped.
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

// finish makes what is left at the end of the stream a datagram. A stream that its sender closed
// ends with a whole line; a frame that is not whole, and any other end, cuts the last line.
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
