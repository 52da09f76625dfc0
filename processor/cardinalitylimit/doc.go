// Package cardinalitylimit is a processor that limits the number of distinct series per service, metric, tenant or label, and
// keeps totals right.
//
// A point passes these stages: identify (internal/streamid), decide (internal/limit over internal/tracker), fold
// (internal/fold), flush. This package connects them to the Collector. docs/cardinalitylimit/semantics.md explains the words.
package cardinalitylimit

//go:generate go tool -modfile=../../internal/tools/go.mod mdatagen metadata.yaml
