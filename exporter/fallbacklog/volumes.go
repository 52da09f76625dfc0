package fallbacklog

import (
	"sync"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
)

// volumes adds up what the components of this process may use of each file system: max_disk_mib of their logs and dead
// letters. Safe for concurrent use.
type volumes struct {
	mu   sync.Mutex
	caps map[uint64]map[*core]int64 // bytes, by volume
}

// promised is shared by all components of the process.
var promised = &volumes{caps: map[uint64]map[*core]int64{}}

// add notes what a component may use of a volume, and returns the sum of all.
func (v *volumes) add(c *core, on segment.Volume, bytes int64) (sum int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.caps[on.ID] == nil {
		v.caps[on.ID] = map[*core]int64{}
	}
	v.caps[on.ID][c] = bytes
	for _, b := range v.caps[on.ID] {
		sum += b
	}
	return sum
}

func (v *volumes) remove(c *core) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, caps := range v.caps {
		delete(caps, c)
	}
}
