package stream

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// feedBuffer fills a buffer with a stream in pieces and returns its datagrams.
func feedBuffer(b *buffer, stream []byte, piece int, closed bool) (out []string, whole bool) {
	collect := func() {
		for _, d := range b.datagrams {
			text := string(d.Payload)
			if d.Truncated {
				text += "<cut>"
			}
			out = append(out, text)
		}
	}
	for len(stream) > 0 {
		n := copy(b.room(), stream[:min(piece, len(stream))])
		stream = stream[n:]
		whole = b.split(n)
		for whole && len(b.datagrams) == maxFrames {
			collect()
			whole = b.next()
		}
		if !whole {
			collect()
			return out, false
		}
		if len(stream) > 0 {
			collect()
		}
	}
	b.finish(closed)
	collect()
	return out, true
}

func frame(payload string) string {
	return string(binary.LittleEndian.AppendUint32(nil, uint32(len(payload)))) + payload
}

func TestLinesOfAStream(t *testing.T) {
	const most = 10
	for _, tt := range []struct {
		in     string
		closed bool
		want   string // all datagrams
	}{
		{"a:1|c\nb:2|c\n", true, "a:1|c\nb:2|c\n"},
		{"a:1|c\nb:2|c", true, "a:1|c\nb:2|c"},
		{"a:1|c\nb:2|c", false, "a:1|c\nb:2|c<cut>"},
		{"a:1|c\r\n\n\nb:2|c\n", true, "a:1|c\r\n\n\nb:2|c\n"},
		{"0123456789\nb:2|c\n", true, "0123456789\nb:2|c\n"},
		{"0123456789", true, "0123456789"},
		{"0123456789a\nb:2|c\n", true, "0123456789a<cut>b:2|c\n"},
		{strings.Repeat("x", 100) + "\nb:2|c\n", true, "xxxxxxxxxxx<cut>b:2|c\n"},
		{"a:1|c\n" + strings.Repeat("x", 100), true, "a:1|c\nxxxxxxxxxxx<cut>"},
		{"", true, ""},
	} {
		for piece := 1; piece <= len(tt.in)+1; piece++ {
			got, _ := feedBuffer(newBuffer(Newline, most), []byte(tt.in), piece, tt.closed)
			assert.Equal(t, tt.want, strings.Join(got, ""), "%q in pieces of %d", tt.in, piece)
		}
	}
}

func TestFramesOfAStream(t *testing.T) {
	const most = 20
	for _, tt := range []struct {
		in    string
		want  []string
		whole bool
	}{
		{frame("a:1|c\nb:2|c") + frame("") + frame("c:3|c\n"), []string{"a:1|c\nb:2|c", "c:3|c\n"}, true},
		{frame(strings.Repeat("x", most)), []string{strings.Repeat("x", most)}, true},
		{frame("a:1|c") + frame(strings.Repeat("x", most+1)) + frame("b:2|c"), []string{"a:1|c"}, false},
		{"\xff\xff\xff\xffa:1|c", nil, false},
		{frame("a:1|c\nb:2|c\nc:3|c")[:4+14], []string{"a:1|c\nb:2|c\nc:<cut>"}, true},
		{frame("a:1|c") + "\x05\x00", []string{"a:1|c"}, true},
		{frame("a:1|c") + "\x05\x00\x00\x00", []string{"a:1|c"}, true},
	} {
		for piece := 1; piece <= len(tt.in)+1; piece++ {
			got, whole := feedBuffer(newBuffer(Length, most), []byte(tt.in), piece, true)
			assert.Equal(t, tt.want, got, "%q in pieces of %d", tt.in, piece)
			assert.Equal(t, tt.whole, whole)
		}
	}
}

// Frames of a single byte need little more memory than the buffer.
func TestSmallFramesNeedLittleMemory(t *testing.T) {
	const most = 65527
	b := newBuffer(Length, most)
	got, whole := feedBuffer(b, []byte(strings.Repeat(frame("x"), 30_000)), most, true)
	assert.True(t, whole)
	assert.Len(t, got, 30_000)
	assert.Less(t, cap(b.datagrams), 2*maxFrames)
}

// A connection that has sent little has a small buffer.
func TestBuffersGrow(t *testing.T) {
	b := newBuffer(Newline, 65527)
	feedBuffer(b, []byte("a:1|c\nb:2|c\n"), 6, true)
	assert.Len(t, b.data, firstBufferBytes)
	feedBuffer(b, bytes.Repeat([]byte("a:1|c\n"), 100_000), 1<<20, true)
	assert.Len(t, b.data, 65528)
}

// FuzzStream checks that the result does not depend on the pieces in which a stream arrives, and that no byte of a line is lost.
func FuzzStream(f *testing.F) {
	f.Add([]byte("a:1|c\nb:2|c\n"), uint8(3), uint8(20), false)
	f.Add([]byte(frame("a:1|c\n")+frame("b")), uint8(5), uint8(20), true)
	f.Add([]byte(strings.Repeat("x", 50)+"\na:1|c"), uint8(7), uint8(10), false)
	f.Fuzz(func(t *testing.T, in []byte, piece, most uint8, length bool) {
		framing := Newline
		if length {
			framing = Length
		}
		if most == 0 {
			most = 1
		}
		got, _ := feedBuffer(newBuffer(framing, int(most)), in, int(piece)+1, true)
		all, _ := feedBuffer(newBuffer(framing, int(most)), in, 1, true)
		if strings.Join(got, "") != strings.Join(all, "") {
			t.Fatalf("%q in pieces of %d: %q, in bytes: %q", in, piece+1, got, all)
		}
		if framing == Newline && bytes.IndexByte(in, '<') < 0 {
			var want strings.Builder
			for l := range bytes.Lines(in) {
				if text := bytes.TrimSuffix(l, []byte{'\n'}); len(text) > int(most) {
					fmt.Fprintf(&want, "%s<cut>", text[:int(most)+1])
				} else {
					want.Write(l)
				}
			}
			if want.String() != strings.Join(got, "") {
				t.Fatalf("%q: %q, want %q", in, got, want.String())
			}
		}
	})
}
