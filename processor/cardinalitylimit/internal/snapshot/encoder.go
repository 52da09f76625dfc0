package snapshot

import (
	"encoding/binary"
	"math"
)

// chunkBytes is the size of all chunks except the last. It is small enough for every store, and for one transaction per
// chunk.
const chunkBytes = 256 << 10

// Encoder appends values to a section. After the first error of the storage it writes nothing more. Store.Write returns
// that error.
type Encoder struct {
	buf   []byte
	write func(chunk []byte) error
	err   error
}

// Uint appends a number that is usually small.
func (e *Encoder) Uint(v uint64) {
	e.buf = binary.AppendUvarint(e.buf, v)
	e.writeFullChunks()
}

// Int appends a signed number whose absolute value is usually small.
func (e *Encoder) Int(v int64) {
	e.buf = binary.AppendVarint(e.buf, v)
	e.writeFullChunks()
}

// Fixed appends a number of any size as 8 bytes.
func (e *Encoder) Fixed(v uint64) {
	e.buf = binary.LittleEndian.AppendUint64(e.buf, v)
	e.writeFullChunks()
}

// Float appends a floating-point number with all its bits.
func (e *Encoder) Float(v float64) { e.Fixed(math.Float64bits(v)) }

// Bool appends a byte, 0 or 1.
func (e *Encoder) Bool(v bool) {
	b := byte(0)
	if v {
		b = 1
	}
	e.buf = append(e.buf, b)
	e.writeFullChunks()
}

// Text appends the length of a text and the text.
func (e *Encoder) Text(s string) {
	e.Uint(uint64(len(s)))
	e.buf = append(e.buf, s...)
	e.writeFullChunks()
}

// Words appends the count of numbers and the numbers, 8 bytes each.
func (e *Encoder) Words(words []uint64) {
	e.Uint(uint64(len(words)))
	for _, w := range words {
		e.Fixed(w)
	}
}

// writeFullChunks writes the full chunks and removes them from the buffer.
func (e *Encoder) writeFullChunks() {
	for len(e.buf) >= chunkBytes {
		e.writeChunk(e.buf[:chunkBytes])
		e.buf = e.buf[:copy(e.buf, e.buf[chunkBytes:])]
	}
}

func (e *Encoder) writeChunk(chunk []byte) {
	if e.err == nil {
		e.err = e.write(chunk)
	}
}

// close writes the last chunk.
func (e *Encoder) close() error {
	if len(e.buf) > 0 {
		e.writeChunk(e.buf)
	}
	return e.err
}
