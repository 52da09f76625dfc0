// Package grpczstd bounds what a gRPC request compressed with zstd allocates.
package grpczstd

import (
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"
	_ "go.opentelemetry.io/collector/config/configgrpc" // registers the compressor that Register replaces
	"google.golang.org/grpc/encoding"
)

const name = "zstd"

// maxWindowBytes is the largest window of a frame that is decoded. A frame names its window in its first bytes, and the
// decoder allocates that much whatever follows. RFC 8878, section 3.1.1.1.2, recommends that decoders support 8 MiB and
// that encoders ask for no more. The decoder's own bound is 512 MiB.
const maxWindowBytes = 8 << 20

// Register makes gRPC decode zstd within maxWindowBytes in the whole process. It must be called before the first server or
// client is created.
func Register() {
	encoding.RegisterCompressor(&compressor{Compressor: encoding.GetCompressor(name)})
}

// compressor compresses as the Collector does, and decompresses within maxWindowBytes. It is safe for concurrent use.
type compressor struct {
	encoding.Compressor

	decoders sync.Pool // of *zstd.Decoder
}

// Decompress returns a reader of what r compresses.
func (c *compressor) Decompress(r io.Reader) (io.Reader, error) {
	if d, ok := c.decoders.Get().(*zstd.Decoder); ok {
		if err := d.Reset(r); err != nil {
			return nil, err
		}
		return &reader{decoder: d, pool: &c.decoders}, nil
	}
	// With a concurrency of 1 a decoder has no goroutines, so one that is not read to its end needs no Close.
	d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindowBytes))
	if err != nil {
		return nil, err
	}
	return &reader{decoder: d, pool: &c.decoders}, nil
}

// reader reads one message and puts its decoder back at the message's end.
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
