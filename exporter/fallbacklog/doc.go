// Package fallbacklog is an exporter that wraps another exporter. Data that the downstream does not accept goes to a durable
// local log, and from there to the downstream when it is back.
//
// The package has more than 2,000 lines, because it connects each part of the component to the Collector: configuration,
// lifecycle, the wrapped exporter, telemetry, and the requests of the command. The delivery itself is in internal/.
package fallbacklog

//go:generate go tool -modfile=../../internal/tools/go.mod mdatagen metadata.yaml
