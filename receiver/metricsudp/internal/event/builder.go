package event

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/series"
)

// Builder makes log records. A batch has one resource per host and origin, and each resource has one scope.
type Builder struct {
	Resource     pcommon.Resource // copied into each resource; an origin's attributes and the host replace its own
	ScopeName    string
	ScopeVersion string
	Origin       series.OriginMode
}

// The names of the events, and of attributes that no semantic convention defines.
const (
	eventName = "dogstatsd.event"
	checkName = "dogstatsd.service_check"

	eventTitle          = "dogstatsd.event.title"
	eventPriority       = "dogstatsd.event.priority"
	eventAlertType      = "dogstatsd.event.alert_type"
	eventAggregationKey = "dogstatsd.event.aggregation_key"
	eventSourceType     = "dogstatsd.event.source_type"
	checkNameKey        = "dogstatsd.service_check.name"
	checkStatus         = "dogstatsd.service_check.status"
)

// hostName is a resource attribute.
//
// https://opentelemetry.io/docs/specs/semconv/resource/host/
const hostName = "host.name"

// resources maps each host and origin of a batch to the records of their resource.
type resources map[string]plog.LogRecordSlice

// build returns the records of the lines. The records of a resource are in the order of their lines.
func (b *Builder) build(lines []Line) plog.Logs {
	logs := plog.NewLogs()
	all := resources{}
	for i := range lines {
		r := parse(&lines[i])
		origin := b.Origin.Attributes(lines[i].Source, &r.origin)
		to := all.records(b, logs, origin, r.host)
		b.fill(to.AppendEmpty(), &lines[i], &r)
	}
	return logs
}

// records returns the records of a host and an origin. The first call for them adds their resource.
func (all resources) records(b *Builder, logs plog.Logs, origin []series.Tag, host string) plog.LogRecordSlice {
	key := host
	for _, attribute := range origin {
		key += "\n" + attribute.Key + "\n" + attribute.Value
	}
	if records, ok := all[key]; ok {
		return records
	}
	resource := logs.ResourceLogs().AppendEmpty()
	b.Resource.CopyTo(resource.Resource())
	for _, attribute := range origin {
		resource.Resource().Attributes().PutStr(attribute.Key, attribute.Value)
	}
	if host != "" {
		resource.Resource().Attributes().PutStr(hostName, host)
	}
	scope := resource.ScopeLogs().AppendEmpty()
	scope.Scope().SetName(b.ScopeName)
	scope.Scope().SetVersion(b.ScopeVersion)
	all[key] = scope.LogRecords()
	return all[key]
}

func (b *Builder) fill(to plog.LogRecord, l *Line, r *record) {
	to.SetObservedTimestamp(pcommon.NewTimestampFromTime(l.Received))
	to.SetTimestamp(to.ObservedTimestamp())
	if !r.time.IsZero() {
		to.SetTimestamp(pcommon.NewTimestampFromTime(r.time))
	}
	if r.text != "" {
		to.Body().SetStr(r.text)
	}
	attributes := to.Attributes()
	for _, tag := range r.tags {
		attributes.PutStr(tag.Key, tag.Value)
	}
	if l.Kind == line.ServiceCheck {
		status := statuses[r.status]
		to.SetEventName(checkName)
		to.SetSeverityNumber(status.severity)
		to.SetSeverityText(status.name)
		attributes.PutStr(checkNameKey, r.title)
		attributes.PutStr(checkStatus, status.name)
		return
	}
	to.SetEventName(eventName)
	to.SetSeverityNumber(severityOf(r.alertType))
	to.SetSeverityText(r.alertType)
	attributes.PutStr(eventTitle, r.title)
	attributes.PutStr(eventPriority, r.priority)
	attributes.PutStr(eventAlertType, r.alertType)
	putText(attributes, eventAggregationKey, r.aggregationKey)
	putText(attributes, eventSourceType, r.sourceType)
}

func putText(to pcommon.Map, key, value string) {
	if value != "" {
		to.PutStr(key, value)
	}
}

// statuses of service checks, by their number.
var statuses = [...]struct {
	name     string
	severity plog.SeverityNumber
}{
	{"ok", plog.SeverityNumberInfo},
	{"warning", plog.SeverityNumberWarn},
	{"critical", plog.SeverityNumberError},
	{"unknown", plog.SeverityNumberUnspecified},
}

// severityOf returns the severity of an event. Success and alert types that the protocol does not define are informational.
func severityOf(alertType string) plog.SeverityNumber {
	switch alertType {
	case "error":
		return plog.SeverityNumberError
	case "warning":
		return plog.SeverityNumberWarn
	}
	return plog.SeverityNumberInfo
}
