package cardinalitylimit

import (
	"fmt"
	"sync"

	"go.opentelemetry.io/collector/component"
)

// processorNames gives the processors of one factory different names. A component ID in two pipelines is two processors. They must
// not write the same overflow series, nor the same metrics about themselves.
type processorNames struct {
	mu   sync.Mutex
	used map[string]bool
}

func newProcessorNames() *processorNames { return &processorNames{used: make(map[string]bool)} }

// acquire returns a name that no other processor has until release is called. It is the ID if that is free.
func (n *processorNames) acquire(id component.ID) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	base := id.String()
	name := base
	for i := 2; n.used[name]; i++ {
		name = fmt.Sprintf("%s/%d", base, i)
	}
	n.used[name] = true
	return name
}

func (n *processorNames) release(name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.used, name)
}
