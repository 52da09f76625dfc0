package cluster

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/require"
)

// received is a connection on which a server has sent bytes and hung up.
type received struct {
	net.Conn
	io.Reader
}

func (r received) Read(p []byte) (int, error)    { return r.Reader.Read(p) }
func (received) Close() error                    { return nil }
func (received) SetReadDeadline(time.Time) error { return nil }

// readAll decodes all answers behind a guard and returns the error that ends them.
func readAll(r io.Reader) (answers []any, err error) {
	g := newGuarded(received{Reader: r})
	c := redis.NewConn(g, 0, 0)
	for {
		answer, err := c.Receive()
		if c.Err() != nil {
			return answers, err
		}
		if err != nil {
			answer = err
		}
		answers = append(answers, answer)
	}
}

// Answers are the same in parts of any size.
func TestGuardPassesAnswers(t *testing.T) {
	long := strings.Repeat("long ", 1000)
	stream := strings.Join([]string{
		"+OK\r\n", "-ERR no\r\n", ":15\r\n", ":-1\r\n", "$-1\r\n", "$0\r\n\r\n", "$5\r\na\r\nbc\r\n", "*0\r\n", "*-1\r\n",
		"*2\r\n*0\r\n*2\r\n:1\r\n*-1\r\n", "-" + long + "\r\n", "$5000\r\n" + long + "\r\n",
	}, "")
	wanted := []any{
		"OK", redis.Error("ERR no"), int64(15), int64(-1), nil,
		[]byte{},
		[]byte("a\r\nbc"),
		[]any{},
		nil,
		[]any{[]any{}, []any{int64(1), nil}},
		redis.Error(long), []byte(long),
	}
	for name, r := range map[string]io.Reader{
		"whole": strings.NewReader(stream), "bytes": iotest.OneByteReader(strings.NewReader(stream)), "halves": iotest.HalfReader(strings.NewReader(stream)),
	} {
		answers, err := readAll(r)
		require.ErrorIs(t, err, io.EOF, name)
		require.Equal(t, wanted, answers, name)
	}
}

// Redigo would allocate what these announce, or descend until the stack overflows.
func TestGuardRefusesWhatRedigoTrusts(t *testing.T) {
	for _, bad := range []string{
		"$-2\r\n", "*-2\r\n", "$\r\n", "$x\r\n", "$99999999\r\n", "*999999999\r\n", "$9223372036854775807\r\n", "*9223372036854775807\r\n",
		"$99999999999999999999\r\n", ":\r\n", ":x\r\n", "$15\n", ":1\n", "\n", "\r\n", "?\r\n", "HTTP/1.1 200 OK\r\n", ".\r\n",
		"|1\r\n", "%1\r\n", "~1\r\n", ">1\r\n", "_\r\n", "#t\r\n", ",1\r\n", "(1\r\n", "=5\r\n", "!3\r\n", // of RESP 3, which is not asked for
		strings.Repeat("*1\r\n", maxDepth+1), "+" + strings.Repeat("x", maxLineBytes+1), "$" + strings.Repeat("0", maxLineBytes) + "1\r\n",
		"*2\r\n" + strings.Repeat("$5000000\r\n"+strings.Repeat("x", 5_000_000)+"\r\n", 2), "*3\r\n*65536\r\n" + strings.Repeat(":1\r\n", 65536) + "*65536\r\n",
	} {
		answers, err := readAll(strings.NewReader(bad))
		require.ErrorIs(t, err, errProtocol, "%.40q", bad)
		require.Empty(t, answers, "%.40q", bad)
	}
}

// Whatever a server sends, the answers do not depend on its parts, and neither process nor memory suffers.
func FuzzGuard(f *testing.F) {
	f.Add([]byte("*2\r\n$1\r\na\r\n:1\r\n"))
	f.Add([]byte("*-1\r\n$-1\r\n-ERR\r\n$3\r\nabcd\r\n"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		whole, first := readAll(bytes.NewReader(stream))
		parts, second := readAll(iotest.OneByteReader(bytes.NewReader(stream)))
		require.Equal(t, whole, parts)
		require.Equal(t, errors.Is(first, errProtocol), errors.Is(second, errProtocol))
	})
}
