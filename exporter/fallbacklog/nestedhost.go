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

// nestedFactory returns an exporter factory of the running Collector, or nil.
func nestedFactory(host component.Host, t component.Type) exporter.Factory {
	src, ok := host.(factorySource)
	if !ok {
		return nil
	}
	f, _ := src.GetFactory(component.KindExporter, t).(exporter.Factory)
	return f
}

// nestedHost is the host of a nested exporter: the Collector's host with the answers middleware.
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

// GetExtensions returns the Collector's extensions and the answers middleware.
func (h nestedHost) GetExtensions() map[component.ID]component.Component {
	return h.answers.addTo(h.Host.GetExtensions())
}

// Report reports the nested exporter's status as the wrapping exporter's.
func (h nestedHost) Report(e *componentstatus.Event) { componentstatus.ReportStatus(h.Host, e) }

// nestedSettings returns the nested exporter's settings. The ID has its own type. It has no metrics, because each attempt is
// counted here and a retried batch would count as lost there. Its logger writes at most one line per minute for each message,
// and none of exporterhelper's lines about lost batches.
func nestedSettings(set exporter.Settings, spec nestedSpec) exporter.Settings {
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
