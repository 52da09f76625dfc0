package fallbacklog

import (
	"strings"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/otel/metric/noop"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/otelcol-custom/otelcol-custom/internal/sampled"
)

// factorySource is a method of the Collector's host beyond component.Host (service's hostcapabilities).
type factorySource interface {
	GetFactory(kind component.Kind, componentType component.Type) component.Factory
}

// wrappedFactory returns an exporter factory of the running Collector, or nil.
func wrappedFactory(host component.Host, t component.Type) exporter.Factory {
	src, ok := host.(factorySource)
	if !ok {
		return nil
	}
	f, _ := src.GetFactory(component.KindExporter, t).(exporter.Factory)
	return f
}

// wrappedHost is the host of the wrapped exporter: the Collector's host with the answers middleware.
type wrappedHost struct {
	component.Host
	answers answers
}

var (
	_ factorySource            = wrappedHost{}
	_ componentstatus.Reporter = wrappedHost{}
)

// GetFactory forwards to the Collector.
func (h wrappedHost) GetFactory(kind component.Kind, t component.Type) component.Factory {
	if src, ok := h.Host.(factorySource); ok {
		return src.GetFactory(kind, t)
	}
	return nil
}

// GetExtensions returns the Collector's extensions and the answers middleware.
func (h wrappedHost) GetExtensions() map[component.ID]component.Component {
	return h.answers.addTo(h.Host.GetExtensions())
}

// Report reports the wrapped exporter's status as this exporter's.
func (h wrappedHost) Report(e *componentstatus.Event) { componentstatus.ReportStatus(h.Host, e) }

// wrappedSettings returns the wrapped exporter's settings. The ID has its own type. It has no metrics, because each attempt is
// counted here and a retried batch would count as lost there. Its logger writes at most one line per minute for each message,
// and none of exporterhelper's lines about lost batches.
func wrappedSettings(set exporter.Settings, spec wrappedSpec) exporter.Settings {
	set.ID = component.NewIDWithName(spec.ID.Type(), set.ID.String())
	set.MeterProvider = noop.NewMeterProvider()
	set.Logger = sampled.Logger(set.Logger).With(zap.Stringer("nested", spec.ID)).
		WithOptions(zap.WithCaller(true), zap.WrapCore(func(c zapcore.Core) zapcore.Core { return quiet{c} }))
	return set
}

// helperPackage logs every failed batch as rejected and dropped, which is wrong here.
const helperPackage = "go.opentelemetry.io/collector/exporter/exporterhelper"

// quiet is a Core without the lines of helperPackage.
type quiet struct{ zapcore.Core }

func (q quiet) With(fields []zapcore.Field) zapcore.Core { return quiet{q.Core.With(fields)} }

func (q quiet) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if q.Enabled(e.Level) {
		return ce.AddCore(e, q)
	}
	return ce
}

// Write filters the lines, since Check does not know the caller.
func (q quiet) Write(e zapcore.Entry, fields []zapcore.Field) error {
	if strings.HasPrefix(e.Caller.Function, helperPackage) {
		return nil
	}
	if ce := q.Core.Check(e, nil); ce != nil {
		ce.Write(fields...)
	}
	return nil
}
