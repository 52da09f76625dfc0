//go:generate go tool -modfile=../../internal/tools/go.mod mdatagen metadata.yaml

// Package metricsudp receives StatsD and DogStatsD metrics, aggregates them and counts every datagram, including those that the
// kernel dropped.
//
// The data flows one way: internal/socket receives datagrams and internal/stream connections, internal/reader moves them to a
// table, internal/line parses lines, internal/series aggregates them, and internal/flush merges the readers' tables and hands on
// batches. internal/event turns events and service checks into log records. docs/metricsudp/glossary.md defines the terms.
package metricsudp
