package metricsudp

import (
	"context"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/receiver"
)

// instances are the existing receivers. The Collector creates a component once per signal, each time with the same configuration.
// All components of one configuration share one instance.
type instances struct {
	mu       sync.Mutex
	byConfig map[*Config]*instance
}

// connected returns the instance of a configuration. connect adds a pipeline to it.
func (all *instances) connected(set receiver.Settings, cfg *Config, connect func(*udpReceiver)) (*instance, error) {
	all.mu.Lock()
	defer all.mu.Unlock()
	one := all.byConfig[cfg]
	if one == nil {
		r, err := newReceiver(set, cfg, nil)
		if err != nil {
			return nil, err
		}
		one = &instance{udpReceiver: r, onShutdown: func() { all.remove(cfg) }}
		all.byConfig[cfg] = one
	}
	connect(one.udpReceiver)
	return one, nil
}

func (all *instances) remove(cfg *Config) {
	all.mu.Lock()
	defer all.mu.Unlock()
	delete(all.byConfig, cfg)
}

// instance is a receiver that several signals may share. It is started once and shut down once.
type instance struct {
	*udpReceiver
	onShutdown func() // removes the instance from instances

	starting, stopping sync.Once
	startErr           error
}

var (
	_ receiver.Metrics = (*instance)(nil)
	_ receiver.Logs    = (*instance)(nil)
)

// Start starts the receiver for the first signal. For the other signals it returns the same error.
func (i *instance) Start(ctx context.Context, host component.Host) error {
	i.starting.Do(func() { i.startErr = i.udpReceiver.Start(ctx, host) })
	return i.startErr
}

// Shutdown ends the receiver for all signals when the first one is shut down.
func (i *instance) Shutdown(ctx context.Context) (err error) {
	i.stopping.Do(func() {
		err = i.udpReceiver.Shutdown(ctx)
		i.onShutdown()
	})
	return err
}
