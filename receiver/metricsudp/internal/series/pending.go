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

// warm reads the table's entries for the lines. These reads overlap. The compiler would drop them if it saw that no caller uses
// the sum. BenchmarkRandomOrder is not faster if warm reads the keys and parts as well.
//
//go:noinline
func (a *aliases) warm(lines []pendingLine) (sum byte) {
	if a.n < warmFrom {
		return 0
	}
	mask := uint64(len(a.entries) - 1)
	for i := range lines {
		sum += byte(a.entries[lines[i].hash&mask].key)
	}
	return sum
}
