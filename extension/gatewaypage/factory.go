package gatewaypage

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension"

	"github.com/otelcol-custom/otelcol-custom/extension/gatewaypage/internal/metadata"
)

// What a reload of the configuration leaves alone.
var (
	processStart = time.Now()
	processPages sync.Map // component.ID of the pages that the process has had
)

// startTime is how long a process may need until it has read its configuration.
const startTime = 10 * time.Second

// isReload reports whether a page that begins now follows another configuration of the same process.
func isReload(id component.ID) bool {
	_, again := processPages.Swap(id, true)
	return again || time.Since(processStart) > startTime
}

// NewFactory returns the factory of the gatewaypage extension.
func NewFactory() extension.Factory {
	return extension.NewFactory(metadata.Type, createDefaultConfig,
		func(_ context.Context, set extension.Settings, cfg component.Config) (extension.Extension, error) {
			return newPage(set, cfg.(*Config), origin{time.Now, processStart, isReload(set.ID)})
		}, metadata.ExtensionStability)
}
