// Package health sums up what is wrong with a component.
package health

import (
	"errors"
	"maps"
	"slices"
	"sync"
)

// Health is the troubles of a component, by name. Safe for concurrent use.
type Health struct {
	tell func(error)

	mu       sync.Mutex
	troubles map[string]error
}

// New returns the health of a component that is well. tell is told of each change, in their order: what is wrong now, or
// nil. It must not call the Health.
func New(tell func(error)) *Health { return &Health{tell: tell, troubles: map[string]error{}} }

// Set notes a trouble, or with nil that it is over. Where a trouble goes on, the error that it began with is kept.
func (h *Health) Set(name string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, is := h.troubles[name]; is == (err != nil) {
		return
	}
	if err == nil {
		delete(h.troubles, name)
	} else {
		h.troubles[name] = err
	}
	h.tell(h.sum())
}

// Tell tells somebody else what is wrong now. to must not call the Health.
func (h *Health) Tell(to func(error)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	to(h.sum())
}

// sum is for callers that hold mu.
func (h *Health) sum() error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(h.troubles)) {
		errs = append(errs, h.troubles[name])
	}
	return errors.Join(errs...)
}
