package series

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
)

// packed returns datagrams of up to 1,432 bytes with one line for each of n series, and the number of lines.
func packed(n, tags int, value, kind string) (datagrams [][]byte, lines int) {
	var b []byte
	for i := range n {
		l := fmt.Sprintf("service.requests.count.%03d:%s|%s", i%100, value, kind)
		for tag := range tags {
			sep := ","
			if tag == 0 {
				sep = "|#"
			}
			l += fmt.Sprintf("%stag%d:val%d", sep, tag, i/100)
		}
		if len(b)+1+len(l) > 1432 {
			datagrams, b = append(datagrams, b), nil
		}
		if len(b) > 0 {
			b = append(b, '\n')
		}
		b = append(b, l...)
		lines++
	}
	return append(datagrams, b), lines
}

// BenchmarkIngest parses and aggregates lines of 1,000 series in packed datagrams. One operation is one line.
func BenchmarkIngest(b *testing.B) {
	for _, bench := range []struct {
		name        string
		value, kind string
		tags        int
	}{
		{"c", "1", "c", 0},
		{"c", "1", "c", 4},
		{"c", "1", "c", 10},
		{"c@0.1", "1", "c|@0.1", 4},
		{"g", "12.5", "g", 4},
		{"ms", "320", "ms", 4},
		{"d", "320.25", "d", 4},
		{"s", "user42", "s", 4},
	} {
		b.Run(fmt.Sprintf("%s/tags=%d", bench.name, bench.tags), func(b *testing.B) {
			g := newGroup(testOptions())
			datagrams, lines := packed(1000, bench.tags, bench.value, bench.kind)
			ingest := func() {
				for _, d := range datagrams {
					g.tables[0].Datagram(d, false, 1, netip.Addr{})
				}
			}
			ingest()
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N/lines + 1 {
				ingest()
			}
		})
	}
}

// BenchmarkOneBusyReader measures a table, one of four, that receives the lines of all series.
func BenchmarkOneBusyReader(b *testing.B) {
	for _, n := range []int{20_000, 60_000, 100_000} {
		b.Run(fmt.Sprint("series=", n), func(b *testing.B) {
			o := testOptions()
			o.MaxSeries, o.MaxAliases, o.Tables = 100_000, 200_000, 4
			g := newGroup(o)
			datagrams, lines := packed(n, 4, "1", "c")
			ingest := func() {
				for _, d := range datagrams {
					g.tables[0].Datagram(d, false, 1, netip.Addr{})
				}
			}
			ingest()
			b.ResetTimer()
			for range b.N/lines + 1 {
				ingest()
			}
		})
	}
}

// BenchmarkRandomOrder sends the lines of many series in random order, so that no lookup finds its memory in a cache. The table is
// one of four. The lines have one value each, and some are timers.
func BenchmarkRandomOrder(b *testing.B) {
	for _, bench := range []struct {
		kind   string
		series int
	}{
		{"c", 1_000}, {"c", 100_000}, {"ms", 100_000},
	} {
		b.Run(fmt.Sprintf("%s/series=%d", bench.kind, bench.series), func(b *testing.B) {
			o := testOptions()
			o.MaxSeries, o.MaxAliases, o.Tables = 100_000, 200_000, 4
			g := newGroup(o)
			datagrams, lines := shuffled(bench.series, bench.kind)
			ingest := func() {
				for _, d := range datagrams {
					g.tables[0].Datagram(d, false, 1, netip.Addr{})
				}
			}
			ingest()
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N/lines + 1 {
				ingest()
			}
		})
	}
}

// shuffled packs one line of each series in random order, 20 per datagram.
func shuffled(n int, kind string) (datagrams [][]byte, lines int) {
	random := rand.New(rand.NewPCG(1, 2))
	var d []byte
	for nth, i := range random.Perm(n) {
		d = fmt.Appendf(d, "service.requests.count.%03d:1|%s|#env:prod,region:eu1,pod:p-%05d,code:200\n", i%100, kind, i)
		if nth%20 == 19 {
			datagrams, d = append(datagrams, d), nil
		}
	}
	if d != nil {
		datagrams = append(datagrams, d)
	}
	return datagrams, n
}

// BenchmarkMiss measures new lines beyond the limits, as in a flood of tags.
func BenchmarkMiss(b *testing.B) {
	g := newGroup(testOptions())
	for i := range b.N {
		g.tables[0].Datagram(fmt.Appendf(nil, "m:1|c|#a:%d,b:2,c:3", i), false, 1, netip.Addr{})
	}
}
