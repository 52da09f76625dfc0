package snapshot

import (
	"encoding/binary"
	"errors"
	"math"
)

// ErrCorrupt means that what is stored is not what was written.
var ErrCorrupt = errors.New("snapshot is corrupt or truncated")

// Decoder reads what an [Encoder] appended. From the first error on all that it
// reads is zero; Err tells.
type Decoder struct {
	buf []byte
	err error
}

// NewDecoder returns a Decoder of a whole section.
func NewDecoder(section []byte) *Decoder { return &Decoder{buf: section} }

// Err is ErrCorrupt where something could not be read.
func (d *Decoder) Err() error { return d.err }

// Fail makes the Decoder report ErrCorrupt: a value makes no sense.
func (d *Decoder) Fail() { d.err, d.buf = ErrCorrupt, nil }

// Done reports ErrCorrupt unless everything has been read.
func (d *Decoder) Done() error {
	if len(d.buf) > 0 {
		d.Fail()
	}
	return d.err
}

// Uint reads what Encoder.Uint appended.
func (d *Decoder) Uint() uint64 {
	v, n := binary.Uvarint(d.buf)
	if n <= 0 {
		d.Fail()
		return 0
	}
	d.buf = d.buf[n:]
	return v
}

// Int reads what Encoder.Int appended.
func (d *Decoder) Int() int64 {
	v, n := binary.Varint(d.buf)
	if n <= 0 {
		d.Fail()
		return 0
	}
	d.buf = d.buf[n:]
	return v
}

// Fixed reads what Encoder.Fixed appended.
func (d *Decoder) Fixed() uint64 {
	b := d.take(8)
	if b == nil {
		return 0
	}
	return binary.LittleEndian.Uint64(b)
}

// Float reads what Encoder.Float appended.
func (d *Decoder) Float() float64 { return math.Float64frombits(d.Fixed()) }

// Bool reads what Encoder.Bool appended.
func (d *Decoder) Bool() bool {
	b := d.take(1)
	if b == nil {
		return false
	}
	if b[0] > 1 {
		d.Fail()
	}
	return b[0] == 1
}

// Text reads what Encoder.Text appended, into memory of its own.
func (d *Decoder) Text() string { return string(d.take(d.Len(1))) }

// Len reads a count of things of at least size bytes each. It is never more than
// what is left can hold, so that it may be allocated for.
func (d *Decoder) Len(size int) int {
	n := d.Uint()
	if n > uint64(len(d.buf)/size) {
		d.Fail()
		return 0
	}
	return int(n)
}

// Words reads what Encoder.Words appended.
func (d *Decoder) Words() []uint64 {
	words := make([]uint64, d.Len(8))
	for i := range words {
		words[i] = d.Fixed()
	}
	return words
}

// take returns the next n bytes, or nil where there are fewer.
func (d *Decoder) take(n int) []byte {
	if n > len(d.buf) {
		d.Fail()
		return nil
	}
	b := d.buf[:n:n]
	d.buf = d.buf[n:]
	return b
}
