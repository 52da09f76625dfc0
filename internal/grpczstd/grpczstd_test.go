package grpczstd

import (
	"bytes"
	"io"
	"runtime"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/encoding"
)

func registered(t *testing.T) encoding.Compressor {
	t.Helper()
	Register()
	c := encoding.GetCompressor(name)
	require.IsType(t, &compressor{}, c)
	return c
}

func decompress(t *testing.T, c encoding.Compressor, content []byte) ([]byte, error) {
	t.Helper()
	r, err := c.Decompress(bytes.NewReader(content))
	require.NoError(t, err)
	return io.ReadAll(r)
}

// Messages can be read one after the other with the same decoder, also after a damaged one.
func TestRoundTrip(t *testing.T) {
	c := registered(t)
	for _, size := range []int{0, 1, 1000, 5 << 20} {
		want := bytes.Repeat([]byte("otlp"), size)
		var sent bytes.Buffer
		w, err := c.Compress(&sent)
		require.NoError(t, err)
		_, err = w.Write(want)
		require.NoError(t, err)
		require.NoError(t, w.Close())
		got, err := decompress(t, c, sent.Bytes())
		require.NoError(t, err)
		assert.True(t, bytes.Equal(want, got), "%d bytes", len(want))
		if size > 0 {
			_, err = decompress(t, c, sent.Bytes()[:sent.Len()-1])
			require.Error(t, err)
		}
	}
}

// A frame with a window above 8 MiB is refused before the window is allocated.
func TestWindow(t *testing.T) {
	c := registered(t)
	_, err := decompress(t, c, frame(23))
	require.NoError(t, err, "8 MiB")
	for exponent := 24; exponent <= 41; exponent++ {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err = decompress(t, c, frame(exponent))
		runtime.ReadMemStats(&after)
		require.ErrorIs(t, err, zstd.ErrWindowSizeExceeded, "a window of 2^%d bytes", exponent)
		assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20))
	}
}

// frame returns a frame with a window of 2^exponent bytes and one block, which contains 128 KiB of the letter x.
func frame(exponent int) []byte {
	const size, last, runLength = 128 << 10, 1, 1
	head := size<<3 | runLength<<1 | last
	return []byte{0x28, 0xB5, 0x2F, 0xFD, 0, byte((exponent - 10) << 3), byte(head & 0xFF), byte(head >> 8 & 0xFF), byte(head >> 16), 'x'}
}
