package e2e

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
)

// noise is a kind of datagram that no client should send, or not in such numbers.
type noise struct {
	name string
	// next appends a datagram of at most maxNoise bytes to b, which is empty.
	next func(r *rand.Rand, b []byte) []byte
}

// maxNoise is the longest UDP payload over IPv4.
const maxNoise = 65507

// packed is the usual length of a datagram.
const packed = 1432

// noises are deterministic: the generator determines their datagrams.
var noises = []noise{
	{"random tags", repeat(packed, func(r *rand.Rand, b []byte) []byte {
		b = fmt.Appendf(b, "noise.tags.%d:1|c|#", r.IntN(4))
		for range 1 + r.IntN(4) {
			b = fmt.Appendf(b, "k%x:%x,", r.IntN(8), r.Uint64())
		}
		return b
	})},
	{"tag orders", repeat(packed, func(r *rand.Rand, b []byte) []byte {
		b = append(b, "noise.orders:1|ms|#"...)
		for _, i := range r.Perm(12) {
			b = fmt.Appendf(b, "k%d:v,", i)
		}
		return b
	})},
	{"random names", repeat(packed, func(r *rand.Rand, b []byte) []byte {
		return fmt.Appendf(b, "noise.%x%s:%d|%s", r.Uint64(), strings.Repeat("x", r.IntN(40)), r.IntN(9), pick(r, "c", "g", "ms", "h", "d", "s"))
	})},
	{"tiny rates", repeat(packed, func(r *rand.Rand, b []byte) []byte {
		return fmt.Appendf(b, "noise.rates:1|%s|@%s", pick(r, "c", "ms", "d"), pick(r, "1e-300", "1e-7", "0.000001", "1e-6", "5e-324"))
	})},
	{"64 KiB", large},
	{"binary", binaryNoise},
	{"halves", func(r *rand.Rand, b []byte) []byte {
		b = repeat(packed, usual)(r, b)
		return b[:r.IntN(len(b))]
	}},
	{"malformed", repeat(packed, func(r *rand.Rand, b []byte) []byte { return append(b, pick(r, malformed...)...) })},
	{"origins", repeat(packed, func(r *rand.Rand, b []byte) []byte {
		return fmt.Appendf(b, "noise.origins:1|c|c:ci-%016x%016x|e:it-false,cn-%x,pu-%x|card:%s",
			r.Uint64(), r.Uint64(), r.Uint32(), r.Uint64(), pick(r, "none", "low", "orchestrator", "high"))
	})},
}

// mixed sends all kinds of noise.
var mixed = noise{"mixed", func(r *rand.Rand, b []byte) []byte { return noises[r.IntN(len(noises))].next(r, b) }}

// malformed are lines for each reason for which the receiver refuses lines of a sender by default.
var malformed = []string{
	":1|c", strings.Repeat("n", 513) + ":1|c", "noise", "noise:|c", "noise:one|g", "noise:nan|g", "noise:-inf|d", "noise:0x1p4|c",
	"noise:1e300|c", "noise:1", "noise:1|", "noise:1|x", "noise:1|c|@0", "noise:1|c|@2", "noise:1|c|@nan", "noise:1|c|@1e-300",
	"noise:1|c|T-1", "noise:1|g|T99999999999999999999", "noise:1|c|#:v", "noise:1|c|#" + strings.Repeat("k,", 65),
	"noise:1|c|#" + strings.Repeat("k", 8193), "noise:-1|c", "_e{9,9}:a|b", "_e{-1,1}:a|b", "_sc|door|7", "noise:1:x:3|d", "\x00\xff\xfe", "|||",
}

// usual is a valid line.
func usual(r *rand.Rand, b []byte) []byte {
	return fmt.Appendf(b, "noise.usual:%d|%s|#shop:s%d,zone:z", r.IntN(100), pick(r, "c", "g", "ms"), r.IntN(100))
}

// large makes datagrams of the greatest length, of many lines, one line or none.
func large(r *rand.Rand, b []byte) []byte {
	switch r.IntN(5) {
	case 0:
		return repeat(maxNoise, usual)(r, b)
	case 1: // a name
		return append(append(b, strings.Repeat("n", maxNoise-4)...), ":1|c"...)
	case 2: // tags
		return append(append(b, "noise:1|c|#"...), strings.Repeat("k:v,", (maxNoise-11)/4)...)
	case 3: // values
		return append(append(append(b, "noise.values"...), strings.Repeat(":7", (maxNoise-14)/2)...), "|d"...)
	default:
		return append(b, strings.Repeat("\n", maxNoise)...)
	}
}

// binaryNoise is random bytes, or usual lines with some bytes flipped.
func binaryNoise(r *rand.Rand, b []byte) []byte {
	if r.IntN(2) == 0 {
		for range 1 + r.IntN(packed) {
			b = append(b, byte(r.Uint32()))
		}
		return b
	}
	b = repeat(packed, usual)(r, b)
	for range 1 + r.IntN(40) {
		b[r.IntN(len(b))] ^= 1 << r.IntN(8)
	}
	return b
}

// repeat fills a datagram of at most size bytes with lines. A longer line is sent alone.
func repeat(size int, line func(r *rand.Rand, b []byte) []byte) func(*rand.Rand, []byte) []byte {
	return func(r *rand.Rand, b []byte) []byte {
		for {
			before := len(b)
			if before > 0 {
				b = append(b, '\n')
			}
			if b = line(r, b); len(b) > size {
				if before == 0 {
					return b
				}
				return b[:before]
			}
		}
	}
}

func pick(r *rand.Rand, texts ...string) string { return texts[r.IntN(len(texts))] }

// countLines returns the number of lines of a datagram that the receiver must account for: all except empty ones.
func countLines(b []byte) (n int) {
	for line := range bytes.SplitSeq(b, []byte{'\n'}) {
		if len(bytes.TrimSuffix(line, []byte{'\r'})) > 0 {
			n++
		}
	}
	return n
}
