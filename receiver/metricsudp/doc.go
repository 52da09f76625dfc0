//go:generate go tool -modfile=../../internal/tools/go.mod mdatagen metadata.yaml

// Package metricsudp receives StatsD and DogStatsD metrics over UDP, aggregates
// them and accounts for every datagram, those the kernel dropped included.
//
// The data flows one way: internal/socket receives datagrams, internal/reader
// moves them to a table, internal/line parses them, internal/series aggregates and
// internal/flush merges the readers' tables and hands batches on.
package metricsudp
