package cluster

import (
	"bytes"
	"fmt"
	"net"
	"strconv"
	"sync/atomic"
)

// guarded is a connection that fails before the client reads an answer that would end the process: the client panics at a
// length below zero, at a MOVED without an address, and at an answer to no question. Both directions are RESP, versions 2
// and 3. Read and Write have one caller each, as in the client.
type guarded struct {
	net.Conn
	// counts: every answer belongs to a question. A sentinel sends messages of its own.
	counts    bool
	questions atomic.Int64 // begun by Write, less those answered
	out, in   frames
}

// Read implements net.Conn.
func (g *guarded) Read(p []byte) (int, error) {
	n, err := g.Conn.Read(p)
	bad := g.in.scan(p[:n], func() error {
		if g.counts && g.questions.Add(-1) < 0 {
			return fmt.Errorf("%w: nothing was asked", errProtocol)
		}
		return nil
	})
	if bad != nil {
		return 0, bad
	}
	return n, err
}

// Write implements net.Conn.
func (g *guarded) Write(p []byte) (int, error) {
	if err := g.out.scan(p, func() error { g.questions.Add(1); return nil }); err != nil {
		return 0, err
	}
	return g.Conn.Write(p)
}

// The bounds of a message. The largest answers are maxFetched members, and the nodes of a cluster.
const (
	maxMessageBytes = 8 << 20
	maxElements     = 1 << 17
	maxDepth        = 8
	maxHeaderBytes  = 512 // of a line that is looked at
)

// frames finds where messages begin, and checks what the client trusts. It works on parts of any size.
type frames struct {
	line     []byte // the present line so far, at most maxHeaderBytes of it
	skip     int    // bytes of a text, its CRLF included
	open     []int  // elements that are left, of the outermost array first
	bytes    int    // of the present message
	elements int    // of the present message
}

// scan reads the next part and calls begin where a message begins.
func (f *frames) scan(p []byte, begin func() error) error {
	for len(p) > 0 {
		if f.skip > 0 {
			n := min(f.skip, len(p))
			f.skip, p = f.skip-n, p[n:]
			if f.skip == 0 {
				f.finish()
			}
			continue
		}
		if len(f.line) == 0 && len(f.open) == 0 {
			f.bytes, f.elements = 0, 0
			if err := begin(); err != nil {
				return err
			}
		}
		n := bytes.IndexByte(p, '\n') + 1
		ended := n > 0
		if !ended {
			n = len(p)
		}
		f.line = append(f.line, p[:min(n, maxHeaderBytes-len(f.line))]...)
		f.bytes, p = f.bytes+n, p[n:]
		if f.bytes > maxMessageBytes {
			return fmt.Errorf("%w: a line without end", errProtocol)
		}
		if !ended {
			continue
		}
		if err := f.header(); err != nil {
			return err
		}
		f.line = f.line[:0]
	}
	return nil
}

// header checks a whole line.
func (f *frames) header() error {
	kind, rest := f.line[0], bytes.TrimSuffix(f.line[1:], []byte("\r\n"))
	truncated := len(f.line) == maxHeaderBytes // the line may be longer
	ok := truncated || len(rest)+len("?\r\n") == len(f.line)
	switch kind {
	case '+', '(', ',', ':':
		f.finish()
	case '-':
		ok = ok && !lacksAddress(rest)
		f.finish()
	case '_':
		ok = ok && len(rest) == 0
		f.finish()
	case '#':
		ok = ok && len(rest) == 1
		f.finish()
	default:
		n, err := strconv.Atoi(string(rest))
		ok = ok && !truncated && err == nil && n >= -1 && n <= maxMessageBytes && f.sized(kind, n)
	}
	if !ok {
		return fmt.Errorf("%w: %q", errProtocol, f.line[:min(len(f.line), 40)])
	}
	return nil
}

// lacksAddress reports whether an error sends the client to another server without its address.
func lacksAddress(text []byte) bool {
	return (bytes.HasPrefix(text, []byte("MOVED")) || bytes.HasPrefix(text, []byte("ASK"))) && bytes.Count(text, []byte(" ")) < 2
}

// sized begins a text or an array and reports whether it may have the size. -1 is null.
func (f *frames) sized(kind byte, n int) bool {
	null := n < 0
	n = max(n, 0)
	switch kind {
	case '$', '=', '!':
		if f.bytes += n; null {
			f.finish()
		} else {
			f.skip = n + len("\r\n")
		}
		return f.bytes <= maxMessageBytes
	case '*':
	case '%':
		n *= 2
		fallthrough
	case '~', '>':
		if null {
			return false
		}
	default:
		return false
	}
	f.elements += n
	f.open = append(f.open, n+1) // this one ends with the last of them
	f.finish()
	return f.elements <= maxElements && len(f.open) <= maxDepth
}

// finish ends an element, and the arrays that end with it.
func (f *frames) finish() {
	for last := len(f.open) - 1; last >= 0; last-- {
		f.open[last]--
		if f.open[last] > 0 {
			return
		}
		f.open = f.open[:last]
	}
}
