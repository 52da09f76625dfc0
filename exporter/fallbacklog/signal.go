package fallbacklog

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/record"
)

// signal contains the functions that differ between traces, metrics and logs.
type signal[T any] struct {
	name   string
	items  func(T) int
	json   wire[T]
	proto  wire[T]
	clone  func(T) T
	cut    func(data T, from, to int) // removes all items outside [from, to)
	move   func(from, to T)           // appends the items of from and leaves it empty
	create func(context.Context, exporter.Factory, exporter.Settings, component.Config) (wrapped[T], error)
}

// wire is an encoding of OTLP requests.
type wire[T any] struct {
	marshal   func(T) ([]byte, error)
	unmarshal func([]byte) (T, error)
}

func (s signal[T]) wire(e record.Encoding) wire[T] {
	if e == record.Proto {
		return s.proto
	}
	return s.json
}

// wrapped is a wrapped exporter of one signal.
type wrapped[T any] struct {
	component.Component
	capabilities consumer.Capabilities
	consume      func(context.Context, T) error
	answersNoted bool // package answer notes the downstream's answers, see answers
}

var traces = signal[ptrace.Traces]{
	name:  "traces",
	items: ptrace.Traces.SpanCount,
	json:  wire[ptrace.Traces]{(&ptrace.JSONMarshaler{}).MarshalTraces, (&ptrace.JSONUnmarshaler{}).UnmarshalTraces},
	proto: wire[ptrace.Traces]{(&ptrace.ProtoMarshaler{}).MarshalTraces, (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces},
	clone: func(td ptrace.Traces) ptrace.Traces {
		c := ptrace.NewTraces()
		td.CopyTo(c)
		return c
	},
	cut:  cutTraces,
	move: func(from, to ptrace.Traces) { from.ResourceSpans().MoveAndAppendTo(to.ResourceSpans()) },
	create: func(ctx context.Context, f exporter.Factory, set exporter.Settings, cfg component.Config) (wrapped[ptrace.Traces], error) {
		e, err := f.CreateTraces(ctx, set, cfg)
		if err != nil {
			return wrapped[ptrace.Traces]{}, err
		}
		return wrapped[ptrace.Traces]{Component: e, capabilities: e.Capabilities(), consume: e.ConsumeTraces}, nil
	},
}

var metrics = signal[pmetric.Metrics]{
	name:  "metrics",
	items: pmetric.Metrics.DataPointCount,
	json:  wire[pmetric.Metrics]{(&pmetric.JSONMarshaler{}).MarshalMetrics, (&pmetric.JSONUnmarshaler{}).UnmarshalMetrics},
	proto: wire[pmetric.Metrics]{(&pmetric.ProtoMarshaler{}).MarshalMetrics, (&pmetric.ProtoUnmarshaler{}).UnmarshalMetrics},
	clone: func(md pmetric.Metrics) pmetric.Metrics {
		c := pmetric.NewMetrics()
		md.CopyTo(c)
		return c
	},
	cut:  cutMetrics,
	move: func(from, to pmetric.Metrics) { from.ResourceMetrics().MoveAndAppendTo(to.ResourceMetrics()) },
	create: func(ctx context.Context, f exporter.Factory, set exporter.Settings, cfg component.Config) (wrapped[pmetric.Metrics], error) {
		e, err := f.CreateMetrics(ctx, set, cfg)
		if err != nil {
			return wrapped[pmetric.Metrics]{}, err
		}
		return wrapped[pmetric.Metrics]{Component: e, capabilities: e.Capabilities(), consume: e.ConsumeMetrics}, nil
	},
}

var logs = signal[plog.Logs]{
	name:  "logs",
	items: plog.Logs.LogRecordCount,
	json:  wire[plog.Logs]{(&plog.JSONMarshaler{}).MarshalLogs, (&plog.JSONUnmarshaler{}).UnmarshalLogs},
	proto: wire[plog.Logs]{(&plog.ProtoMarshaler{}).MarshalLogs, (&plog.ProtoUnmarshaler{}).UnmarshalLogs},
	clone: func(ld plog.Logs) plog.Logs {
		c := plog.NewLogs()
		ld.CopyTo(c)
		return c
	},
	cut:  cutLogs,
	move: func(from, to plog.Logs) { from.ResourceLogs().MoveAndAppendTo(to.ResourceLogs()) },
	create: func(ctx context.Context, f exporter.Factory, set exporter.Settings, cfg component.Config) (wrapped[plog.Logs], error) {
		e, err := f.CreateLogs(ctx, set, cfg)
		if err != nil {
			return wrapped[plog.Logs]{}, err
		}
		return wrapped[plog.Logs]{Component: e, capabilities: e.Capabilities(), consume: e.ConsumeLogs}, nil
	},
}
