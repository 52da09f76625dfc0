package fallbacklog

import (
	"sync"

	"go.opentelemetry.io/collector/exporter"
)

// registry contains the cores of the configured components. The Collector passes the same *Config to each instance of a
// component, so the pointer identifies the component, even if a process has two services.
type registry struct {
	mu    sync.Mutex
	cores map[*Config]*core
}

func newRegistry() *registry { return &registry{cores: map[*Config]*core{}} }

// join returns the component's core and a function that releases it.
func (r *registry) join(cfg *Config, set exporter.Settings) (*core, func() error, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c, ok := r.cores[cfg]
	if !ok {
		var err error
		if c, err = newCore(cfg, set); err != nil {
			return nil, nil, err
		}
		r.cores[cfg] = c
	}
	c.users++
	return c, func() error {
		r.mu.Lock()
		defer r.mu.Unlock()
		c.users--
		if c.users > 0 {
			return nil
		}
		delete(r.cores, cfg)
		return c.close()
	}, nil
}
