package load

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"net"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// grpcExchange is gRPC over HTTP/2 with one stream at a time.
//
// https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
type grpcExchange struct {
	out     *bufio.Writer
	framer  *http2.Framer
	headers []hpack.HeaderField
	encoder *hpack.Encoder
	block   bytes.Buffer // the encoded headers of a request
	message []byte       // a request with its prefix

	// Bytes that the server lets the client send: on the connection, on the present stream, on a new stream, in a frame.
	window, streamWindow, initialWindow, maxFrame int

	received int    // bytes of data for which the server has got no window update
	stream   uint32 // present or last
	ended    bool   // the stream has its answer
	status   string // the answer's grpc-status
	last     bool   // the server accepts no further stream
}

// initialWindow and maxFrame of a connection without settings.
const (
	defaultWindow = 65_535
	defaultFrame  = 16_384
)

// refillAfter is the number of bytes received after which the client sends a window update.
const refillAfter = defaultWindow / 2

func newGRPCExchange(conn net.Conn, host string) exchange {
	g := &grpcExchange{
		out:    bufio.NewWriter(conn),
		window: defaultWindow, initialWindow: defaultWindow, maxFrame: defaultFrame,
		headers: []hpack.HeaderField{
			{Name: ":method", Value: "POST"},
			{Name: ":scheme", Value: "http"},
			{Name: ":path", Value: "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"},
			{Name: ":authority", Value: host},
			{Name: "content-type", Value: "application/grpc"},
			{Name: "te", Value: "trailers"},
		},
	}
	g.framer = http2.NewFramer(g.out, bufio.NewReader(conn))
	g.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil) // the default size of the table
	g.framer.SetReuseFrames()
	g.encoder = hpack.NewEncoder(&g.block)
	_, _ = g.out.WriteString(http2.ClientPreface) // a bufio.Writer returns an error at Flush too
	_ = g.framer.WriteSettings(http2.Setting{ID: http2.SettingEnablePush, Val: 0})
	return g.exchange
}

func (g *grpcExchange) exchange(request []byte) (a answer, again bool) {
	if err := g.send(request); err != nil {
		return failed, false
	}
	for !g.ended {
		if err := g.receive(); err != nil {
			return failed, false
		}
	}
	switch g.status {
	case "0":
		return acknowledged, !g.last
	case "": // the stream was reset, or ended without a status
		return failed, false
	}
	return refused, !g.last
}

// send sends a request, as far as the server reads it.
func (g *grpcExchange) send(request []byte) error {
	g.stream = (g.stream + 1) | 1 // the next odd number
	g.ended, g.status, g.streamWindow = false, "", g.initialWindow
	g.block.Reset()
	for _, field := range g.headers {
		if err := g.encoder.WriteField(field); err != nil {
			return err
		}
	}
	err := g.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: g.stream, BlockFragment: g.block.Bytes(), EndHeaders: true})
	if err != nil {
		return err
	}
	const uncompressed = 0
	g.message = append(binary.BigEndian.AppendUint32(append(g.message[:0], uncompressed), uint32(len(request))), request...)
	for rest := g.message; len(rest) > 0 && !g.ended; {
		n := min(len(rest), g.window, g.streamWindow, g.maxFrame)
		if n <= 0 {
			if err := g.receive(); err != nil {
				return err
			}
			continue
		}
		if err := g.framer.WriteData(g.stream, n == len(rest), rest[:n]); err != nil {
			return err
		}
		rest = rest[n:]
		g.window -= n
		g.streamWindow -= n
	}
	return nil
}

// receive sends what is buffered and reads one frame. What it writes in return waits for the next call, so that an acknowledgement
// needs no system call of its own.
func (g *grpcExchange) receive() error {
	if err := g.out.Flush(); err != nil {
		return err
	}
	frame, err := g.framer.ReadFrame()
	if err != nil {
		return err
	}
	mine := frame.Header().StreamID == g.stream
	switch f := frame.(type) {
	case *http2.MetaHeadersFrame:
		if mine {
			g.readHeaders(f)
		}
	case *http2.DataFrame:
		g.ended = g.ended || mine && f.StreamEnded()
		if g.received += int(f.Length); g.received >= refillAfter {
			err, g.received = g.framer.WriteWindowUpdate(0, uint32(g.received)), 0
		}
	case *http2.RSTStreamFrame:
		g.ended = g.ended || mine
	case *http2.WindowUpdateFrame:
		if f.StreamID == 0 {
			g.window += int(f.Increment)
		} else if mine {
			g.streamWindow += int(f.Increment)
		}
	case *http2.SettingsFrame:
		if !f.IsAck() {
			err = g.set(f)
		}
	case *http2.PingFrame:
		if !f.IsAck() {
			err = g.framer.WritePing(true, f.Data)
		}
	case *http2.GoAwayFrame:
		g.last = true
		g.ended = g.ended || f.LastStreamID < g.stream // the server has not read the request
	}
	return err
}

// readHeaders reads the headers before an answer's data, or the trailers after them.
func (g *grpcExchange) readHeaders(f *http2.MetaHeadersFrame) {
	if status := f.PseudoValue("status"); status != "" && status != "200" {
		g.status = status // of an HTTP server without gRPC
	}
	for _, field := range f.Fields {
		if field.Name == "grpc-status" {
			g.status = field.Value
		}
	}
	g.ended = g.ended || f.StreamEnded()
}

// set applies and acknowledges the server's settings.
func (g *grpcExchange) set(f *http2.SettingsFrame) error {
	if size, ok := f.Value(http2.SettingInitialWindowSize); ok {
		g.streamWindow += int(size) - g.initialWindow
		g.initialWindow = int(size)
	}
	if size, ok := f.Value(http2.SettingMaxFrameSize); ok {
		g.maxFrame = int(size)
	}
	if size, ok := f.Value(http2.SettingHeaderTableSize); ok {
		g.encoder.SetMaxDynamicTableSizeLimit(size)
	}
	return g.framer.WriteSettingsAck()
}
