// Package fallbacklog is an exporter that wraps another one: what the downstream does not take goes to a durable local
// log, and out again when the downstream is back.
package fallbacklog

//go:generate go tool -modfile=../../internal/tools/go.mod mdatagen metadata.yaml
