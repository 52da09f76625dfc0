package fallbacklog

import (
	"sync"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/segment"
)

// volumes adds up max_disk_mib of the logs and dead letters on each file system, for all components of this process. It is safe
// for concurrent use.
type volumes struct {
	mu   sync.Mutex
	caps map[uint64]map[*core]int64 // bytes, by volume
}

// volumeUses is shared by all components of the process.
var volumeUses = &volumes{caps: map[uint64]map[*core]int64{}}

// add records the bytes that a component may use on a volume, and returns the sum for the volume.
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
