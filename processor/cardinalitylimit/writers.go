package cardinalitylimit

import (
	"fmt"
	"sync"

	"go.opentelemetry.io/collector/component"
)

// writers tells the processors of one factory apart: one ID in two pipelines is
// two processors, which must not write the same overflow series, nor the same metrics
// about themselves.
type writers struct {
	mu    sync.Mutex
	taken map[string]bool
}

func newWriters() *writers { return &writers{taken: make(map[string]bool)} }

// acquire returns a name for a processor that no other holds until it is released:
// its ID, where it is the only one.
func (w *writers) acquire(id component.ID) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	base := id.String()
	name := base
	for n := 2; w.taken[name]; n++ {
		name = fmt.Sprintf("%s/%d", base, n)
	}
	w.taken[name] = true
	return name
}

func (w *writers) release(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.taken, name)
}
