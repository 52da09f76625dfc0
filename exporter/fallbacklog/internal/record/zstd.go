package record

import (
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// maxUncompressed bounds the size of a payload before compression. A larger payload is written uncompressed, and a frame that
// claims a larger one is invalid. A forged frame of a few kilobytes therefore costs a reader at most this much memory.
const maxUncompressed = 64 << 20

// encoder and decoder are safe for concurrent use. They have one state per processor. A window of 1 MiB covers most requests.
var (
	encoder = sync.OnceValue(func() *zstd.Encoder {
		e, err := zstd.NewWriter(nil, zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true))
		if err != nil {
			panic(err) // the options are constants
		}
		return e
	})
	decoder = sync.OnceValue(func() *zstd.Decoder {
		d, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(maxUncompressed), zstd.WithDecodeAllCapLimit(true))
		if err != nil {
			panic(err) // the options are constants
		}
		return d
	})
	// scratch contains buffers for compressed payloads until they are in a frame.
	scratch = sync.Pool{New: func() any { return new([]byte) }}
)

// compress compresses a payload. ok is false if the result is not smaller. The result belongs to scratch.
func compress(payload []byte) (compressed []byte, ok bool) {
	if len(payload) > maxUncompressed {
		return nil, false
	}
	buf := *scratch.Get().(*[]byte) // the pool contains nothing else
	compressed = encoder().EncodeAll(payload, buf[:0])
	if len(compressed) < len(payload) {
		return compressed, true
	}
	scratch.Put(&compressed)
	return nil, false
}

// decompress is the inverse of compress, for a payload of n bytes. It allocates no more than that.
func decompress(compressed []byte, n int) ([]byte, error) {
	payload, err := decoder().DecodeAll(compressed, make([]byte, 0, n))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if len(payload) != n {
		return nil, fmt.Errorf("%w: %d bytes after decompressing, the header says %d", ErrDamaged, len(payload), n)
	}
	return payload, nil
}
