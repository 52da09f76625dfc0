package seekable

import (
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// maxCopied bounds what Damage holds of a stretch that is no frame.
const maxCopied = 16 << 20

// Damage is the error of reading what cannot be decompressed, or is not what was compressed.
type Damage struct {
	Start, End int64  // uncompressed
	Data       []byte // what the file has in its place
}

// Error implements error.
func (d *Damage) Error() string {
	return fmt.Sprintf("bytes %d to %d cannot be decompressed", d.Start, d.End)
}

// Reader reads what was compressed. It keeps the last frame, and is for one goroutine.
type Reader struct {
	Index

	file  io.ReaderAt
	have  int // the frame in data; -1: none
	data  []byte
	raw   []byte
	bound []byte // backs data
}

// NewReader returns a reader of a file with this index.
func NewReader(file io.ReaderAt, x Index) *Reader { return &Reader{Index: x, file: file, have: -1} }

// decoder is safe for concurrent use. It never makes more than what its buffer has room for, which is MaxFrame at most.
var decoder = sync.OnceValue(func() *zstd.Decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(MaxFrame), zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		panic(err) // the options are constants
	}
	return d
})

// ReadAt implements io.ReaderAt in the coordinates of what was compressed. It stops before damage, for which the error is
// a *Damage.
func (r *Reader) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		k, in := slices.BinarySearchFunc(r.Frames, off, func(f Frame, off int64) int {
			switch {
			case f.Start > off:
				return 1
			case f.Start+f.Size <= off:
				return -1
			}
			return 0
		})
		if !in {
			return n, io.EOF
		}
		if err := r.load(k); err != nil {
			return n, err
		}
		c := copy(p[n:], r.data[off-r.Frames[k].Start:])
		n += c
		off += int64(c)
	}
	return n, nil
}

// Verify reads everything and returns the first error.
func (r *Reader) Verify() error {
	for k := range r.Frames {
		if err := r.load(k); err != nil {
			return err
		}
	}
	return nil
}

func (r *Reader) load(k int) (err error) {
	if r.have == k {
		return nil
	}
	r.have = -1
	f := r.Frames[k]
	if f.lost || f.Packed > maxPacked {
		data, err := readAt(r.file, f.At, min(f.Packed, maxCopied))
		if err != nil {
			return err
		}
		return &Damage{f.Start, f.Start + f.Size, data}
	}
	r.raw = slices.Grow(r.raw[:0], int(f.Packed))[:f.Packed]
	if n, err := r.file.ReadAt(r.raw, f.At); n < len(r.raw) {
		return fmt.Errorf("%w: frame %d", noEOF(err), k)
	}
	if r.bound == nil {
		r.bound = make([]byte, MaxFrame)
	}
	data, err := decoder().DecodeAll(r.raw, r.bound[:0:f.Size])
	if err != nil || int64(len(data)) != f.Size || sum(data) != f.sum {
		return &Damage{f.Start, f.Start + f.Size, slices.Clone(r.raw)}
	}
	r.data, r.have = data, k
	return nil
}

// noEOF is what a short read is an error of.
func noEOF(err error) error {
	if err == nil || err == io.EOF { //nolint:errorlint // as io.ReaderAt has it
		return io.ErrUnexpectedEOF
	}
	return err
}
