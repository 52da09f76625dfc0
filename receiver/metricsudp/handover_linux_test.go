package metricsudp

import (
	"fmt"
	"testing"
)

// BenchmarkHandover sends from one socket, whose datagrams reach one reader, faster than that reader can process them. With two
// readers the other one helps. The sender uses the same processors.
func BenchmarkHandover(b *testing.B) {
	for _, bench := range []struct {
		name        string
		rate, bytes int
	}{
		{"packed-1M", 1_000_000, 1432}, {"packed-4M", 4_000_000, 1432}, {"packed-unlimited", 1_000_000_000, 1432},
	} {
		for round := range 3 { // alternating, as the machine changes meanwhile
			for readers := 1; readers <= 2; readers++ {
				b.Run(fmt.Sprintf("%s/round=%d/readers=%d", bench.name, round, readers), func(b *testing.B) {
					benchmarkLoopback(b, readers, bench.rate, bench.bytes)
				})
			}
		}
	}
}
