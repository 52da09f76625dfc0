package series

import "github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"

// pendingLine is a line that was parsed and not looked up yet.
type pendingLine struct {
	line     line.Line
	text     []byte
	hash     uint64
	negative bool   // a counter with a negative increment
	origin   []byte // buffer for the line's fields c: and e:, reused
}

// maxPending is the number of lines that are parsed before the first of them is looked up. The memory that their lookups need
// is then fetched at once. If the series do not fit into the processor's cache, a line spends most of its time waiting for
// memory.
const maxPending = 16

// warmFrom is the number of aliases, of about 200 bytes each, that no longer fit into the processor's cache. With fewer aliases
// a lookup does not wait for memory.
const warmFrom = 4096

// warm reads the memory that the lookups of the lines need. It reads in two steps: the entries, then the keys and parts that
// they point to. The reads of one step overlap. The compiler would drop them if it saw that no caller uses the result.
//
//go:noinline
func (a *aliases) warm(lines []pendingLine) (sum byte) {
	if a.n < warmFrom {
		return 0
	}
	var entries [maxPending]*alias
	mask := uint64(len(a.entries) - 1)
	for i := range lines {
		e := &a.entries[lines[i].hash&mask]
		entries[i] = e
		sum += byte(e.key)
	}
	for _, e := range entries[:len(lines)] {
		if e.part != nil {
			key := a.chunks[e.key>>16][e.key&(chunkBytes-1):]
			sum += key[0] + key[keyHeader+int(e.name)+int(e.tags)-1] + byte(e.part.used[0])
		}
	}
	return sum
}
