package e2e

import (
	"bytes"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// TestStreamLimit: a connection may have 1,000 streams at once. The next one is refused. The other streams and the
// connection stay open.
func TestStreamLimit(t *testing.T) {
	const limit = 1000 // max_concurrent_streams of gateway.yaml
	g := newGateway(t, "gateway.yaml")
	g.start()
	conn, err := net.Dial("tcp", g.grpc)
	require.NoError(t, err)
	require.NoError(t, conn.SetDeadline(time.Now().Add(time.Minute)))

	_, err = conn.Write([]byte(http2.ClientPreface))
	require.NoError(t, err)
	framer := http2.NewFramer(conn, conn)
	require.NoError(t, framer.WriteSettings())
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	streamOf := func(n int) uint32 { return uint32(2*n - 1) }
	for n := 1; n <= limit+1; n++ { // none of them ends
		block.Reset()
		for _, field := range []hpack.HeaderField{
			{Name: ":method", Value: "POST"},
			{Name: ":scheme", Value: "http"},
			{Name: ":authority", Value: g.grpc},
			{Name: ":path", Value: "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"},
			{Name: "content-type", Value: "application/grpc"},
			{Name: "te", Value: "trailers"},
		} {
			require.NoError(t, encoder.WriteField(field))
		}
		require.NoError(t, framer.WriteHeaders(http2.HeadersFrameParam{StreamID: streamOf(n), BlockFragment: block.Bytes(), EndHeaders: true}))
	}
	require.NoError(t, framer.WritePing(false, [8]byte{1})) // its answer comes after those of the streams

	announced, reset := uint32(0), map[uint32]http2.ErrCode{}
	for answered := false; !answered; {
		frame, err := framer.ReadFrame()
		require.NoError(t, err)
		switch f := frame.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				if n, found := f.Value(http2.SettingMaxConcurrentStreams); found {
					announced = n
				}
				require.NoError(t, framer.WriteSettingsAck())
			}
		case *http2.RSTStreamFrame:
			reset[f.StreamID] = f.ErrCode
		case *http2.PingFrame:
			answered = f.IsAck() && f.Data == [8]byte{1}
		}
	}
	require.NoError(t, conn.Close()) // the gateway waits for streams when it stops
	assert.EqualValues(t, limit, announced)
	assert.Equal(t, map[uint32]http2.ErrCode{streamOf(limit + 1): http2.ErrCodeRefusedStream}, reset)
	g.stop()
}
