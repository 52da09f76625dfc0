package fallbacklog

import (
	"fmt"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

func makeTraces(name string, n int) ptrace.Traces {
	td := ptrace.NewTraces()
	spans := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	for i := range n {
		spans.AppendEmpty().SetName(fmt.Sprintf("%s/%d", name, i))
	}
	return td
}

func makeMetrics(name string, n int) pmetric.Metrics {
	md := pmetric.NewMetrics()
	ms := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics()
	for i := range n {
		m := ms.AppendEmpty()
		m.SetName(fmt.Sprintf("%s/%d", name, i))
		m.SetEmptyGauge().DataPoints().AppendEmpty().SetIntValue(int64(i))
	}
	return md
}

func makeLogs(name string, n int) plog.Logs {
	ld := plog.NewLogs()
	rs := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for i := range n {
		rs.AppendEmpty().Body().SetStr(fmt.Sprintf("%s/%d", name, i))
	}
	return ld
}
