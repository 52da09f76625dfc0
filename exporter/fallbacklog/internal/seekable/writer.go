package seekable

import (
	"io"

	"github.com/klauspost/compress/zstd"
)

const (
	// MaxFrame is the most that a frame holds: 1 MiB is what damage costs at most, what a reader decompresses to get at a
	// single byte, and near enough to the ratio of the whole (a few percent).
	MaxFrame = 1 << 20
	// maxPacked is more than zstd makes of MaxFrame bytes that cannot be compressed.
	maxPacked = MaxFrame + MaxFrame/64
	maxSize   = 1 << 62
)

// Writer compresses. It is for one goroutine.
type Writer struct {
	to     io.Writer
	encode *zstd.Encoder
	frames []Frame
	end    int64 // uncompressed
	at     int64 // written
	buf    []byte
}

// NewWriter returns a writer to the beginning of a file. Each of its calls is at most one Write.
func NewWriter(to io.Writer) (*Writer, error) {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(MaxFrame), zstd.WithLowerEncoderMem(true))
	return &Writer{to: to, encode: e}, err
}

// Frame writes one frame. data has 1 to MaxFrame bytes.
func (w *Writer) Frame(data []byte) error {
	// The locator comes first and needs the length: its place is kept.
	w.buf = append(w.buf[:0], make([]byte, locatorLen)...)
	w.buf = w.encode.EncodeAll(data, w.buf)
	f := Frame{
		Start: w.end, Size: int64(len(data)), At: w.at + locatorLen, Packed: int64(len(w.buf) - locatorLen), sum: sum(data),
	}
	appendLocator(w.buf[:0], f)
	if err := w.write(); err != nil {
		return err
	}
	w.frames = append(w.frames, f)
	w.end += f.Size
	return nil
}

// Close writes the seek table. It does not close the file.
func (w *Writer) Close() error {
	w.buf = appendTable(w.buf[:0], w.frames, w.end)
	return w.write()
}

// Written is the length of the file so far.
func (w *Writer) Written() int64 { return w.at }

func (w *Writer) write() error {
	n, err := w.to.Write(w.buf)
	w.at += int64(n)
	return err
}
