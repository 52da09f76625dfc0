package cardinalitylimit

import (
	"context"
	"math/rand/v2"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/processor"

	"github.com/otelcol-custom/otelcol-custom/processor/cardinalitylimit/internal/metadata"
)

// NewFactory returns the factory of the processor.
func NewFactory() processor.Factory {
	f := &factory{processorNames: newProcessorNames(), now: time.Now, random: rand.Uint64N}
	return processor.NewFactory(
		metadata.Type,
		createDefaultConfig,
		processor.WithMetrics(f.createMetrics, metadata.MetricsStability),
	)
}

type factory struct {
	processorNames *processorNames
	now            func() time.Time
	random         func(n uint64) uint64 // in [0, n); safe for concurrent use
}

func (f *factory) createMetrics(
	_ context.Context, set processor.Settings, cfg component.Config, next consumer.Metrics,
) (processor.Metrics, error) {
	p, err := newLimiter(set, cfg.(*Config), next, f)
	if err != nil {
		return nil, err
	}
	return p, nil
}
