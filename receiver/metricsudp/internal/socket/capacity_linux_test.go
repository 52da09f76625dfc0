package socket

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The kernel charges more than the payload to a receive buffer. With -v this test logs the figures of docs/metricsudp/tuning.md.
// Packed lines need the least of the buffer.
func TestPackedLinesFillTheBufferLast(t *testing.T) {
	const sent = 20_000
	held := map[int]int{} // payload bytes in a full buffer, by size of the datagram
	for _, size := range []int{71, 512, 1432, 8192} {
		s := options()
		s.MaxDatagramBytes, s.BufferBytes = size, 1<<20
		c := open(t, s)[0]
		client := dial(t, c)
		payload := strings.Repeat("x", size)
		for range sent {
			send(t, client, payload)
		}
		received := len(receive(t, c))
		stats, err := c.Stats()
		require.NoError(t, err)
		require.Equal(t, sent, received+int(stats.Drops))
		held[size] = received * size
		t.Logf("%d-byte datagrams: %d in a buffer of %d bytes, %d bytes each", size, received, stats.BufferBytes, stats.BufferBytes/received)
	}
	for _, size := range []int{71, 512} {
		assert.Greater(t, held[1432], held[size], "%d bytes", size)
	}
}
