package snapshot

import (
	"encoding/binary"
	"math"
)

// ChunkBytes is the size of all chunks but the last: small enough for every store,
// and for a transaction of its own.
const ChunkBytes = 256 << 10

// Encoder appends values to a section. The first error of the store ends the
// writing; it is returned at the end.
type Encoder struct {
	buf   []byte
	write func(chunk []byte) error
	err   error
}

// Uint appends a number that is mostly small.
func (e *Encoder) Uint(v uint64) {
	e.buf = binary.AppendUvarint(e.buf, v)
	e.spill()
}

// Int appends a signed number that is mostly small.
func (e *Encoder) Int(v int64) {
	e.buf = binary.AppendVarint(e.buf, v)
	e.spill()
}

// Fixed appends a number of any size: 8 bytes.
func (e *Encoder) Fixed(v uint64) {
	e.buf = binary.LittleEndian.AppendUint64(e.buf, v)
	e.spill()
}

// Float appends a floating-point number with all its bits.
func (e *Encoder) Float(v float64) { e.Fixed(math.Float64bits(v)) }

// Bool appends a byte.
func (e *Encoder) Bool(v bool) {
	b := byte(0)
	if v {
		b = 1
	}
	e.buf = append(e.buf, b)
	e.spill()
}

// Text appends a text with its length.
func (e *Encoder) Text(s string) {
	e.Uint(uint64(len(s)))
	e.buf = append(e.buf, s...)
	e.spill()
}

// Words appends numbers of any size with their count.
func (e *Encoder) Words(words []uint64) {
	e.Uint(uint64(len(words)))
	for _, w := range words {
		e.Fixed(w)
	}
}

// spill writes the chunks that are full.
func (e *Encoder) spill() {
	for len(e.buf) >= ChunkBytes {
		e.put(e.buf[:ChunkBytes])
		e.buf = e.buf[:copy(e.buf, e.buf[ChunkBytes:])]
	}
}

func (e *Encoder) put(chunk []byte) {
	if e.err == nil {
		e.err = e.write(chunk)
	}
}

// close writes the rest.
func (e *Encoder) close() error {
	if len(e.buf) > 0 {
		e.put(e.buf)
	}
	return e.err
}
