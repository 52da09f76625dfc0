package series

import (
	"bytes"
	"math"
	"net/netip"
	"os"
	"strings"
	"testing"
	"unicode/utf8"
)

func third[A, B, C any](_ A, _ B, c C) C { return c }

func FuzzDatagram(f *testing.F) {
	f.Add([]byte("a:1|c|#k:v\n\xff\xfe:1:2|ms|@0.1\r\n_e{1,1}:a|b\nu:a:b|s"), false)
	f.Add([]byte("a:1|c|#,,:,k:1,k:2\nb:+1|g|T1"), true)
	f.Add([]byte("a:1|c|c:ci-1,in-2,\xff,ci-\x00|e:it-true,cn-a,pu-b,cn-\xfe:1,|c:in-"), false)
	examples, err := os.ReadFile("../line/testdata/examples.txt")
	if err != nil {
		f.Fatal(err)
	}
	var all []byte
	for text := range bytes.Lines(examples) {
		// The first word of an example is its result. The file's comments are valid input too.
		_, in, _ := bytes.Cut(text, []byte{' '})
		f.Add(bytes.TrimSuffix(in, []byte{'\n'}), false)
		f.Add(in[:len(in)/2], true)
		all = append(all, in...)
	}
	f.Add(all, false)
	f.Add(bytes.ReplaceAll(all, []byte{'\n'}, []byte("\r\n")), true)
	f.Fuzz(func(t *testing.T, b []byte, truncated bool) {
		o := testOptions()
		if truncated {
			o = mappedOptions()
		}
		o.MaxSeries, o.MaxAliases, o.Origin = 3, 8, OriginContainer
		g := newGroup(o)
		g.tables[0].Datagram(b, truncated, 1, netip.Addr{})
		g.tables[0].Datagram(b, truncated, 2, netip.Addr{})
		found := g.flush()
		for id, s := range found {
			if !utf8.ValidString(id) {
				t.Fatalf("%q", id)
			}
			if v, ok := s.value.(*LastValue); ok && (math.IsNaN(v.Gauge) || math.IsInf(v.Gauge, 0)) {
				t.Fatalf("gauge %v", v.Gauge)
			}
			if _, ok := s.value.(*SummaryValue); ok {
				for _, v := range third(quantilesOf(s)) {
					if math.IsNaN(v) || math.IsInf(v, 0) {
						t.Fatalf("quantile %v", v)
					}
				}
			}
		}
		lines := uint64(0)
		for l := range strings.SplitSeq(string(b), "\n") {
			if strings.TrimSuffix(l, "\r") != "" {
				lines += 2
			}
		}
		counted := totalOf(g.stats.Lines[:]) + totalOf(g.stats.Rejected[:])
		// The last line of a truncated datagram may be a single carriage return.
		if counted < lines || (counted > lines && !truncated) {
			t.Fatalf("%d lines, %d counted", lines, counted)
		}
	})
}
