package cardinalitylimit

import (
	"fmt"
	"sync"

	"go.opentelemetry.io/collector/component"
)

// writers gives the processors of one factory different names. A component ID in two pipelines is two processors. They must
// not write the same overflow series, nor the same metrics about themselves.
type writers struct {
	mu   sync.Mutex
	used map[string]bool
}

func newWriters() *writers { return &writers{used: make(map[string]bool)} }

// acquire returns a name that no other processor has until release is called. It is the ID if that is free.
func (w *writers) acquire(id component.ID) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	base := id.String()
	name := base
	for n := 2; w.used[name]; n++ {
		name = fmt.Sprintf("%s/%d", base, n)
	}
	w.used[name] = true
	return name
}

func (w *writers) release(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.used, name)
}
