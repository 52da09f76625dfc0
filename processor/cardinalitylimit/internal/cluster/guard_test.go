package cluster

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whole messages, in parts of any size: begin is called once for each.
func TestFramesFindMessages(t *testing.T) {
	stream := strings.Join([]string{
		"+OK\r\n", "-ERR no\r\n", "-MOVED 1 127.0.0.1:1\r\n", "-ASK 1 x:1\r\n", ":15\r\n", "$-1\r\n", "$0\r\n\r\n", "$5\r\na\r\nbc\r\n", "*0\r\n", "*-1\r\n", "_\r\n", "#t\r\n", ",1.5\r\n", "(1\r\n",
		"*2\r\n*0\r\n*2\r\n:1\r\n*-1\r\n", "%1\r\n$1\r\na\r\n*1\r\n:1\r\n", "~2\r\n:1\r\n:2\r\n", ">1\r\n+x\r\n", "=5\r\ntxt:a\r\n", "!3\r\nERR\r\n", "-" + strings.Repeat("long ", 1000) + "\r\n",
	}, "")
	for size := 1; size <= len(stream); size += 1 + size/7 {
		var f frames
		begun := 0
		for at := 0; at < len(stream); at += size {
			require.NoError(t, f.scan([]byte(stream[at:min(at+size, len(stream))]), func() error { begun++; return nil }))
		}
		require.Equal(t, 21, begun, size)
		require.Empty(t, f.open)
		require.Empty(t, f.line)
	}
}

func TestFramesRefuseWhatTheClientTrusts(t *testing.T) {
	for _, bad := range []string{
		"$-2\r\n", "*-2\r\n", "%-1\r\n", "~-1\r\n", ">-1\r\n", "$\r\n", "$x\r\n", "$99999999\r\n", "*999999999\r\n", "$99999999999999999999\r\n", "%65537\r\n",
		"$15\n", ":1\n", "\n", "\r\n", "-MOVED\r\n", "-MOVED 1\r\n", "-ASK\r\n", "?\r\n", "HTTP/1.1 200 OK\r\n", ".\r\n", "|1\r\n", "$?\r\n", "_x\r\n", "#true\r\n", "#\r\n",
		strings.Repeat("*1\r\n", maxDepth+1), "$" + strings.Repeat("0", 600) + "1\r\n", "+" + strings.Repeat("x", maxMessageBytes+1),
		"*2\r\n" + strings.Repeat("$5000000\r\n"+strings.Repeat("x", 5_000_000)+"\r\n", 2), "*3\r\n*65536\r\n" + strings.Repeat(":1\r\n", 65536) + "*65536\r\n",
	} {
		var f frames
		require.ErrorIs(t, f.scan([]byte(bad), func() error { return nil }), errProtocol, "%.40q", bad)
	}
}

// An answer to no question is not handed to the client.
func TestAnswersToNoQuestion(t *testing.T) {
	for _, counts := range []bool{true, false} {
		ours, theirs := net.Pipe()
		g := &guarded{Conn: ours, counts: counts}
		go func() {
			buffer := make([]byte, 100)
			_, _ = io.ReadFull(theirs, buffer[:14])
			_, _ = io.WriteString(theirs, "+PONG\r\n+PONG\r\n")
		}()
		_, err := g.Write([]byte("*1\r\n$4\r\nPING\r\n"))
		require.NoError(t, err)
		_, err = g.Read(make([]byte, 100))
		require.Equal(t, counts, errors.Is(err, errProtocol))
		require.NoError(t, g.Close())
		require.NoError(t, theirs.Close())
	}
}

func FuzzFrames(f *testing.F) {
	f.Add([]byte("*2\r\n$1\r\na\r\n:1\r\n"), 3)
	f.Fuzz(func(t *testing.T, stream []byte, size int) {
		size = max(1, size%100)
		var whole, parts frames
		first := whole.scan(stream, func() error { return nil })
		var second error
		for at := 0; at < len(stream) && second == nil; at += size {
			second = parts.scan(stream[at:min(at+size, len(stream))], func() error { return nil })
		}
		require.Equal(t, first == nil, second == nil)
	})
}
