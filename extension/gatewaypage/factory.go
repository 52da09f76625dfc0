package gatewaypage

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension"

	"github.com/otelcol-custom/otelcol-custom/extension/gatewaypage/internal/metadata"
)

// processStart is when the process began, however often its configuration is loaded.
var processStart = time.Now()

// NewFactory returns the factory of the gatewaypage extension.
func NewFactory() extension.Factory {
	return extension.NewFactory(metadata.Type, createDefaultConfig,
		func(_ context.Context, set extension.Settings, cfg component.Config) (extension.Extension, error) {
			return newPage(set, cfg.(*Config), time.Now, processStart)
		}, metadata.ExtensionStability)
}
