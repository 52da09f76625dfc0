package fallbacklog

import (
	"context"
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/delivery"
	"github.com/otelcol-custom/otelcol-custom/internal/harness"
)

// Each kind of error has its type as an attribute of the metric and in the log line about the data.
func TestErrorsCarryTheirType(t *testing.T) {
	for want, err := range map[string]error{
		"network":       status.Error(codes.Unavailable, ""),
		"timeout":       status.Error(codes.DeadlineExceeded, ""),
		"throttled":     throttled(t, 0),
		"auth":          status.Error(codes.Unauthenticated, ""),
		"config":        status.Error(codes.Unimplemented, ""),
		"serialization": status.Error(codes.InvalidArgument, ""),
		"permanent":     status.Error(codes.FailedPrecondition, ""),
		"opaque":        consumererror.NewPermanent(net.ErrWriteToConnected),
		"partial":       nil,
	} {
		t.Run(want, func(t *testing.T) {
			s := &scripted{answer: func(context.Context, plog.Logs) error { return err }}
			f := NewFactory()
			set := exporterSettings(t, f)
			core, lines := observer.New(zap.WarnLevel)
			tel := componenttest.NewTelemetry()
			set.TelemetrySettings = tel.NewTelemetrySettings()
			set.Logger = zap.New(core)
			cfg := loadConfig(t, testSettings(t.TempDir()), toScripted, map[string]any{"replay": map[string]any{"enabled": false}})
			e, cerr := f.CreateLogs(context.Background(), set, cfg)
			require.NoError(t, cerr)
			require.NoError(t, e.Start(context.Background(), newTestHost(s.factory())))
			if err != nil {
				require.NoError(t, e.ConsumeLogs(context.Background(), makeLogs("x", 1)))
			} else {
				require.NoError(t, e.(logsExporter).lane.Consume(context.Background(), partly{}))
			}
			var types []string
			for _, p := range harness.Points[int64](t, tel.Reader, "otelcol_exporter_fallbacklog_errors") {
				v, _ := p.Attributes.Value(errorType)
				types = append(types, v.AsString())
			}
			assert.Equal(t, []string{want}, types)
			var classes []any
			for _, line := range lines.All() {
				if v, ok := line.ContextMap()[errorType]; ok {
					classes = append(classes, v)
				}
			}
			assert.Equal(t, []any{want}, classes)
			require.NoError(t, e.Shutdown(context.Background()))
			require.NoError(t, tel.Shutdown(context.Background()))
		})
	}
}

// partly is a batch with two items. The downstream accepts one of them.
type partly struct{ delivery.Batch }

func (partly) Items() int                        { return 2 }
func (partly) Send(context.Context) (int, error) { return 1, nil }
