package metricsudp

import (
	"context"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/receiver"
)

// instances are the receivers that exist. The Collector creates a component once for each signal,
// every time with the same configuration: all of one configuration are one instance.
type instances struct {
	mu       sync.Mutex
	byConfig map[*Config]*instance
}

// connected returns the instance of a configuration after connect has given it a pipeline.
func (all *instances) connected(set receiver.Settings, cfg *Config, connect func(*udpReceiver)) (*instance, error) {
	all.mu.Lock()
	defer all.mu.Unlock()
	one := all.byConfig[cfg]
	if one == nil {
		r, err := newReceiver(set, cfg, nil)
		if err != nil {
			return nil, err
		}
		one = &instance{udpReceiver: r, forget: func() { all.remove(cfg) }}
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

// instance is a receiver with one life, however many signals share it.
type instance struct {
	*udpReceiver
	forget func()

	starting, stopping sync.Once
	startErr           error
}

var (
	_ receiver.Metrics = (*instance)(nil)
	_ receiver.Logs    = (*instance)(nil)
)

// Start starts the receiver for the first signal; for the others it returns the same error.
func (i *instance) Start(ctx context.Context, host component.Host) error {
	i.starting.Do(func() { i.startErr = i.udpReceiver.Start(ctx, host) })
	return i.startErr
}

// Shutdown ends the receiver for all signals when the first one is shut down.
func (i *instance) Shutdown(ctx context.Context) (err error) {
	i.stopping.Do(func() {
		err = i.udpReceiver.Shutdown(ctx)
		i.forget()
	})
	return err
}
