package series

import "github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"

// pending is a line that was parsed and is not counted yet.
type pending struct {
	line     line.Line
	text     []byte
	hash     uint64
	negative bool   // has a decrement
	origin   []byte // reused: what the line says of its container
}

// batchLines are parsed before the first of them is looked up. The memory that they need is then fetched
// at once: with more series than a cache has room for, a line spends most of its time waiting for memory.
const batchLines = 16

// warmFrom is the number of aliases that no longer fit into a cache, about 200 bytes each. With fewer
// there is nothing to wait for.
const warmFrom = 4096

// warm reads the memory that looking up the lines needs. The reads depend on each other in two steps,
// an entry and what it points to; those of one step overlap. It returns a value that depends on all, so
// that the compiler keeps the reads.
func (a *aliases) warm(batch []pending) (sum byte) {
	if a.n < warmFrom {
		return 0
	}
	var entries [batchLines]alias
	mask := uint64(len(a.entries) - 1)
	for i := range batch {
		entries[i] = a.entries[batch[i].hash&mask]
	}
	for i := range batch {
		if e := &entries[i]; e.local != nil {
			sum += a.chunks[e.key>>16][e.key&(chunkBytes-1)] + byte(e.local.used[0])
		}
	}
	return sum
}
