package cluster

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"strconv"
)

// The bounds of an answer. The largest answers are maxFetched members, and the slots of a cluster.
const (
	maxAnswerBytes = 8 << 20
	maxElements    = 1 << 17
	maxDepth       = 8
	maxLineBytes   = bufferBytes
)

// bufferBytes is the size of each of the two buffers of a connection.
const bufferBytes = 32 << 10

// guarded is a connection that checks each answer (RESP, version 2) before redigo reads it. Redigo allocates what a length
// announces, descends into arrays without a bound, and collects a line of any size.
type guarded struct {
	net.Conn
	raw net.Conn // below TLS
	in  *bufio.Reader
	out *bufio.Writer
	err error // of the last Read, Write or Flush

	line        []byte // checked, not yet read
	textBytes   int    // unread bytes of the present text, with its CRLF
	open        []int  // elements that are missing in each open array, of the outermost first
	answerBytes int    // bytes of the present answer so far
	elements    int    // elements of the present answer so far
}

func newGuarded(conn net.Conn) *guarded {
	g := &guarded{Conn: conn, raw: conn, in: bufio.NewReaderSize(conn, bufferBytes), out: bufio.NewWriterSize(conn, bufferBytes)}
	if c, ok := conn.(interface{ NetConn() net.Conn }); ok {
		g.raw = c.NetConn()
	}
	return g
}

// Close implements net.Conn. It closes the connection below TLS, because closing TLS would wait for up to 5 s to send its
// last message.
func (g *guarded) Close() error { return g.raw.Close() }

// Write implements net.Conn. It collects up to bufferBytes, because redigo writes every 4 KiB. Flush sends the rest.
func (g *guarded) Write(p []byte) (n int, err error) {
	n, g.err = g.out.Write(p)
	return n, g.err
}

// Flush sends what was written.
func (g *guarded) Flush() error {
	g.err = g.out.Flush()
	return g.err
}

// Read implements net.Conn. It returns at most one line, or a part of one text.
func (g *guarded) Read(p []byte) (n int, err error) {
	if len(g.line) == 0 && g.textBytes == 0 {
		if g.line, g.err = g.next(); g.err != nil {
			g.line = nil
			return 0, g.err
		}
	}
	if len(g.line) > 0 {
		n = copy(p, g.line)
		g.line = g.line[n:]
		return n, nil
	}
	n, g.err = g.in.Read(p[:min(len(p), g.textBytes)])
	g.textBytes -= n
	return n, g.err
}

// unasked reports whether something follows the last answer.
func (g *guarded) unasked() bool { return len(g.line) > 0 || g.textBytes > 0 || g.in.Buffered() > 0 }

// next reads the line that begins an element.
func (g *guarded) next() ([]byte, error) {
	if len(g.open) == 0 {
		g.answerBytes, g.elements = 0, 0
	}
	line, err := g.in.ReadSlice('\n')
	if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
		return nil, err
	}
	g.answerBytes += len(line)
	if err != nil || !g.begin(line) {
		return nil, fmt.Errorf("%w: %q", errProtocol, line[:min(len(line), 40)])
	}
	return line, nil
}

// begin begins an element and reports whether it is one.
func (g *guarded) begin(line []byte) bool {
	rest, ok := bytes.CutSuffix(line[1:], []byte("\r\n"))
	if !ok {
		return false
	}
	n, err := strconv.Atoi(string(rest))
	switch line[0] {
	case '+', '-':
	case ':':
		ok = err == nil
	case '$':
		ok = err == nil && n >= -1 && n <= maxAnswerBytes
		if ok && n >= 0 {
			g.answerBytes, g.textBytes = g.answerBytes+n, n+len("\r\n")
		}
	case '*':
		ok = err == nil && n >= -1 && n <= maxElements
		g.elements += max(n, 0)
		g.open = append(g.open, max(n, 0)+1) // the array ends with its last element
	default:
		ok = false
	}
	if ok {
		ok = g.answerBytes <= maxAnswerBytes && g.elements <= maxElements && len(g.open) <= maxDepth
		g.finish()
	}
	return ok
}

// finish ends an element, and the arrays that end with it.
func (g *guarded) finish() {
	for last := len(g.open) - 1; last >= 0; last-- {
		g.open[last]--
		if g.open[last] > 0 {
			return
		}
		g.open = g.open[:last]
	}
}
