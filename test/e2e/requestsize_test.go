package e2e

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// maxRequest is the largest OTLP request that the shipped configurations accept, in bytes.
const maxRequest = 4 << 20

// TestRequestSizesAreConfigured: every OTLP receiver in configs/ bounds its requests and the allocations of its decoders, so a
// new configuration cannot omit that.
func TestRequestSizesAreConfigured(t *testing.T) {
	files, err := filepath.Glob(config("*.yaml"))
	require.NoError(t, err)
	receivers := 0
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		all, err := parseYAML(t, content).Sub("receivers")
		require.NoError(t, err)
		for id := range all.ToStringMap() {
			if id != "otlp" && !strings.HasPrefix(id, "otlp/") {
				continue
			}
			receivers++
			for protocol, bound := range map[string]struct {
				key  string
				want int
			}{
				"grpc": {"max_recv_msg_size_mib", maxRequest >> 20},
				"http": {"max_request_body_size", maxRequest},
			} {
				at := id + "::protocols::" + protocol
				if all.IsSet(at) {
					assert.EqualValues(t, bound.want, all.Get(at+"::"+bound.key), "%s: receivers::%s::%s", file, at, bound.key)
				}
			}
			if http := id + "::protocols::http"; all.IsSet(http) {
				algorithms, _ := all.Get(http + "::compression_algorithms").([]any)
				assert.Contains(t, algorithms, "gzip", "%s: %s", file, http)
				assert.NotContains(t, algorithms, "zstd", "%s: %s", file, http)
			}
		}
	}
	assert.Positive(t, receivers)
}

// TestRequestSizes: requests just below the bound are accepted, larger ones are refused on both protocols, and a
// compressed body is measured after decompression.
func TestRequestSizes(t *testing.T) {
	g := newGateway(t, "quickstart.yaml")
	startBackend(t, g.backend)
	g.start()
	conn, err := grpc.NewClient(g.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	defer conn.Close()
	overGRPC := func(bytes int) codes.Code {
		logs := plog.NewLogs()
		logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().Body().SetStr(strings.Repeat("x", bytes))
		_, err := plogotlp.NewGRPCClient(conn).Export(withTimeout(t), plogotlp.NewExportRequestFromLogs(logs))
		return status.Code(err)
	}
	overHTTP := func(size int, compress bool) int {
		content := fmt.Appendf(nil, `{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"%s"}}]}]}]}`, strings.Repeat("x", size))
		request, err := http.NewRequestWithContext(withTimeout(t), http.MethodPost, "http://"+g.http+"/v1/logs", nil)
		require.NoError(t, err)
		var sent bytes.Buffer
		if compress {
			w := gzip.NewWriter(&sent)
			_, err = w.Write(content)
			require.NoError(t, err)
			require.NoError(t, w.Close())
			request.Header.Set("Content-Encoding", "gzip")
		} else {
			sent.Write(content)
		}
		request.Body, request.ContentLength = io.NopCloser(&sent), int64(sent.Len())
		request.Header.Set("Content-Type", "application/json")
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		return response.StatusCode
	}
	const below, above = maxRequest - 4096, maxRequest + 4096
	assert.Equal(t, codes.OK, overGRPC(below))
	assert.Equal(t, codes.ResourceExhausted, overGRPC(above))
	for _, compress := range []bool{false, true} {
		assert.Equal(t, http.StatusOK, overHTTP(below, compress), "compressed: %v", compress)
		assert.Equal(t, http.StatusBadRequest, overHTTP(above, compress), "compressed: %v", compress)
	}
	g.stop()
}

// TestZstdWindows: a request in zstd declares a window of 512 MiB, which its decoder would allocate. HTTP accepts no zstd, and
// gRPC no window over 8 MiB, so the gateway's memory does not grow. gRPC in zstd from the Collector passes.
func TestZstdWindows(t *testing.T) {
	g := newGateway(t, "quickstart.yaml")
	startBackend(t, g.backend)
	g.start()
	const size, runLength = 128 << 10, 1
	head := size<<3 | runLength<<1
	block := []byte{byte(head & 0xFF), byte(head >> 8 & 0xFF), byte(head >> 16), 'x'}
	frame := append([]byte{0x28, 0xB5, 0x2F, 0xFD, 0, (29 - 10) << 3}, bytes.Repeat(block, 100)...)

	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: &protocols}
	defer transport.CloseIdleConnections()
	grpcClient := &http.Client{Transport: transport}
	message := append([]byte{1, 0, 0, byte(len(frame) >> 8), byte(len(frame) & 0xFF)}, frame...)
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			request, err := http.NewRequestWithContext(withTimeout(t), http.MethodPost, "http://"+g.http+"/v1/logs", bytes.NewReader(frame))
			if err != nil {
				t.Error(err)
				return
			}
			request.Header = http.Header{"Content-Type": {"application/x-protobuf"}, "Content-Encoding": {"zstd"}}
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Error(err)
				return
			}
			assert.Equal(t, http.StatusBadRequest, response.StatusCode)
			assert.NoError(t, response.Body.Close())
		})
		wg.Go(func() {
			request, err := http.NewRequestWithContext(withTimeout(t), http.MethodPost,
				"http://"+g.grpc+"/opentelemetry.proto.collector.logs.v1.LogsService/Export", bytes.NewReader(message))
			if err != nil {
				t.Error(err)
				return
			}
			request.Header = http.Header{"Content-Type": {"application/grpc"}, "Grpc-Encoding": {"zstd"}, "Te": {"trailers"}}
			response, err := grpcClient.Do(request)
			if err != nil {
				t.Error(err)
				return
			}
			_, err = io.Copy(io.Discard, response.Body)
			assert.NoError(t, err)
			assert.NoError(t, response.Body.Close())
			answer := response.Header.Get("Grpc-Message") + response.Trailer.Get("Grpc-Message")
			assert.Contains(t, answer, "window size exceeded")
		})
	}
	wg.Wait()
	assert.Less(t, g.peakRSS(), int64(hostileRSS), "resident memory")
	assert.Less(t, int64(g.status("VmPeak", 10))<<10, int64(4<<30), "address space; a window is reserved before it is written")
	g.stop()
}
