package record

import (
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// maxInflated bounds what a compressed payload is before: what is larger is written as it is, and a frame that claims
// more is none. A forged one of a few kilobytes costs a reader no more memory than that.
const maxInflated = 64 << 20

// encoder and decoder are safe for concurrent use; each call has one of as many states as there are processors. 1 MiB of
// window is as far back as most requests reach.
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
	// scratch holds buffers for compressed payloads, on their way into a frame.
	scratch = sync.Pool{New: func() any { return new([]byte) }}
)

// deflate compresses a payload; ok is false where that does not make it smaller. The result belongs to scratch.
func deflate(payload []byte) (packed []byte, ok bool) {
	if len(payload) > maxInflated {
		return nil, false
	}
	buf := *scratch.Get().(*[]byte) //nolint:forcetypeassert // it holds nothing else
	packed = encoder().EncodeAll(payload, buf[:0])
	if len(packed) < len(payload) {
		return packed, true
	}
	scratch.Put(&packed)
	return nil, false
}

// inflate is the inverse, for a payload of n bytes before: never more is made.
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
