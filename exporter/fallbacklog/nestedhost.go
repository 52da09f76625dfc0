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

// factorySource is what the Collector's host offers beyond component.Host (service's hostcapabilities).
type factorySource interface {
	GetFactory(kind component.Kind, componentType component.Type) component.Factory
}

// nestedFactory finds an exporter factory among those of the running Collector; nil when there is none.
func nestedFactory(host component.Host, t component.Type) exporter.Factory {
	src, ok := host.(factorySource)
	if !ok {
		return nil
	}
	f, _ := src.GetFactory(component.KindExporter, t).(exporter.Factory)
	return f
}

// nestedHost is what a nested exporter sees: the Collector's own host, with everything that it may be asked for.
type nestedHost struct {
	component.Host
	answers answers
}

var (
	_ factorySource            = nestedHost{}
	_ componentstatus.Reporter = nestedHost{}
)

// GetFactory forwards to the Collector.
func (h nestedHost) GetFactory(kind component.Kind, t component.Type) component.Factory {
	if src, ok := h.Host.(factorySource); ok {
		return src.GetFactory(kind, t)
	}
	return nil
}

// GetExtensions returns the Collector's, and the one that listens.
func (h nestedHost) GetExtensions() map[component.ID]component.Component {
	return h.answers.among(h.Host.GetExtensions())
}

// Report forwards the nested exporter's status as the wrapping one's.
func (h nestedHost) Report(e *componentstatus.Event) { componentstatus.ReportStatus(h.Host, e) }

// nestedSettings are the nested exporter's: its own type, no metrics of its own (every attempt is counted here; a retried
// batch would count as lost there), at most one line a minute for each message, and none of exporterhelper's for every
// batch that it believes lost.
func nestedSettings(set exporter.Settings, spec nestedSpec) exporter.Settings {
	set.ID = component.NewIDWithName(spec.ID.Type(), set.ID.String())
	set.MeterProvider = noop.NewMeterProvider()
	set.Logger = sampled.Logger(set.Logger).With(zap.Stringer("nested", spec.ID)).
		WithOptions(zap.WithCaller(true), zap.WrapCore(func(c zapcore.Core) zapcore.Core { return quiet{c} }))
	return set
}

// helperPackage logs every failed batch as rejected and dropped. Here it is neither.
const helperPackage = "go.opentelemetry.io/collector/exporter/exporterhelper"

// quiet passes on what the exporter itself logs.
type quiet struct{ zapcore.Core }

func (q quiet) With(fields []zapcore.Field) zapcore.Core { return quiet{q.Core.With(fields)} }

func (q quiet) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if q.Enabled(e.Level) {
		return ce.AddCore(e, q)
	}
	return ce
}

// Write knows the caller, which Check does not.
func (q quiet) Write(e zapcore.Entry, fields []zapcore.Field) error {
	if strings.HasPrefix(e.Caller.Function, helperPackage) {
		return nil
	}
	if ce := q.Core.Check(e, nil); ce != nil {
		ce.Write(fields...)
	}
	return nil
}
