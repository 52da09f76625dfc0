package snapshot

import (
	"encoding/binary"
	"errors"
	"math"
)

// ErrCorrupt means that the stored bytes are not those that were written.
var ErrCorrupt = errors.New("snapshot is corrupt or truncated")

// Decoder reads the values that an [Encoder] appended. After an error all its values are zero, and Err returns the error.
type Decoder struct {
	buf []byte
	err error
}

// NewDecoder returns a Decoder for a whole section.
func NewDecoder(section []byte) *Decoder { return &Decoder{buf: section} }

// Err returns ErrCorrupt if a value could not be read.
func (d *Decoder) Err() error { return d.err }

// Fail makes the Decoder report ErrCorrupt. A caller uses it for a value that makes no sense.
func (d *Decoder) Fail() { d.err, d.buf = ErrCorrupt, nil }

// Done returns ErrCorrupt unless all bytes of the section have been read without an error.
func (d *Decoder) Done() error {
	if len(d.buf) > 0 {
		d.Fail()
	}
	return d.err
}

// Uint reads a value of Encoder.Uint.
func (d *Decoder) Uint() uint64 {
	v, n := binary.Uvarint(d.buf)
	if n <= 0 {
		d.Fail()
		return 0
	}
	d.buf = d.buf[n:]
	return v
}

// Int reads a value of Encoder.Int.
func (d *Decoder) Int() int64 {
	v, n := binary.Varint(d.buf)
	if n <= 0 {
		d.Fail()
		return 0
	}
	d.buf = d.buf[n:]
	return v
}

// Fixed reads a value of Encoder.Fixed.
func (d *Decoder) Fixed() uint64 {
	b := d.next(8)
	if b == nil {
		return 0
	}
	return binary.LittleEndian.Uint64(b)
}

// Float reads a value of Encoder.Float.
func (d *Decoder) Float() float64 { return math.Float64frombits(d.Fixed()) }

// Bool reads a value of Encoder.Bool.
func (d *Decoder) Bool() bool {
	b := d.next(1)
	if b == nil {
		return false
	}
	if b[0] > 1 {
		d.Fail()
	}
	return b[0] == 1
}

// Text reads a value of Encoder.Text and copies it.
func (d *Decoder) Text() string { return string(d.next(d.Len(1))) }

// Len reads the number of items that follow, each of at least size bytes. The result never exceeds what fits into the
// remaining bytes, so the caller may allocate that many items.
func (d *Decoder) Len(size int) int {
	n := d.Uint()
	if n > uint64(len(d.buf)/size) {
		d.Fail()
		return 0
	}
	return int(n)
}

// Words reads a value of Encoder.Words.
func (d *Decoder) Words() []uint64 {
	words := make([]uint64, d.Len(8))
	for i := range words {
		words[i] = d.Fixed()
	}
	return words
}

// next returns the next n bytes, or nil if fewer remain.
func (d *Decoder) next(n int) []byte {
	if n > len(d.buf) {
		d.Fail()
		return nil
	}
	b := d.buf[:n:n]
	d.buf = d.buf[n:]
	return b
}
