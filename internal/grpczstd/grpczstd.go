// Package grpczstd bounds the memory that decompressing a gRPC request with zstd allocates.
package grpczstd

import (
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"
	_ "go.opentelemetry.io/collector/config/configgrpc" // registers the compressor that Register replaces
	"google.golang.org/grpc/encoding"
)

const name = "zstd"

// maxWindowBytes is the largest accepted window of a frame. A frame states the size of its window in its first bytes,
// and the decoder allocates that much before it reads on. RFC 8878, section 3.1.1.1.2, recommends that decoders support
// windows of 8 MiB and that encoders use no larger ones. The decoder's own bound is 512 MiB.
const maxWindowBytes = 8 << 20

// Register bounds the windows of zstd to maxWindowBytes for all of gRPC in the process. Call it before the first server
// or client is created.
func Register() {
	encoding.RegisterCompressor(&compressor{Compressor: encoding.GetCompressor(name)})
}

// compressor compresses like the Collector's own, and refuses to decompress windows above maxWindowBytes. It is safe
// for concurrent use.
type compressor struct {
	encoding.Compressor

	decoders sync.Pool // of *zstd.Decoder
}

// Decompress returns a reader of the decompressed content of r.
func (c *compressor) Decompress(r io.Reader) (io.Reader, error) {
	if d, ok := c.decoders.Get().(*zstd.Decoder); ok {
		if err := d.Reset(r); err != nil {
			return nil, err
		}
		return &reader{decoder: d, pool: &c.decoders}, nil
	}
	// A decoder with a concurrency of 1 has no goroutines, so it needs no Close if its message is not read to the end.
	d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindowBytes))
	if err != nil {
		return nil, err
	}
	return &reader{decoder: d, pool: &c.decoders}, nil
}

// reader reads one message and returns its decoder to the pool at the end of the message.
type reader struct {
	decoder *zstd.Decoder // nil after the end
	pool    *sync.Pool
}

// Read reads decompressed bytes.
func (r *reader) Read(p []byte) (int, error) {
	if r.decoder == nil {
		return 0, io.EOF
	}
	n, err := r.decoder.Read(p)
	if err == io.EOF { //nolint:errorlint // a reader's end is io.EOF itself
		r.pool.Put(r.decoder)
		r.decoder = nil
	}
	return n, err
}
