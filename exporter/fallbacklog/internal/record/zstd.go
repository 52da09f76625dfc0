package record

import (
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// maxInflated bounds the size of a payload before compression. A larger payload is written uncompressed, and a frame that
// claims a larger one is invalid. A forged frame of a few kilobytes therefore costs a reader at most this much memory.
const maxInflated = 64 << 20

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
		d, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(maxInflated), zstd.WithDecodeAllCapLimit(true))
		if err != nil {
			panic(err) // the options are constants
		}
		return d
	})
	// scratch contains buffers for compressed payloads until they are in a frame.
	scratch = sync.Pool{New: func() any { return new([]byte) }}
)

// deflate compresses a payload. ok is false if the result is not smaller. The result belongs to scratch.
func deflate(payload []byte) (packed []byte, ok bool) {
	if len(payload) > maxInflated {
		return nil, false
	}
	buf := *scratch.Get().(*[]byte) // the pool contains nothing else
	packed = encoder().EncodeAll(payload, buf[:0])
	if len(packed) < len(payload) {
		return packed, true
	}
	scratch.Put(&packed)
	return nil, false
}

// inflate is the inverse of deflate, for a payload of n bytes. It allocates no more than that.
func inflate(packed []byte, n int) ([]byte, error) {
	payload, err := decoder().DecodeAll(packed, make([]byte, 0, n))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if len(payload) != n {
		return nil, fmt.Errorf("%w: %d bytes after decompressing, the header says %d", ErrDamaged, len(payload), n)
	}
	return payload, nil
}
