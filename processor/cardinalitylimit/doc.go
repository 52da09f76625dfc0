// Package cardinalitylimit is a processor that holds the number of distinct series
// per service, metric, tenant or label, and keeps totals right.
//
// identify (internal/streamid) -> decide (internal/limit over internal/tracker) ->
// fold (internal/fold) -> flush. This package is the Collector-facing shell.
package cardinalitylimit

//go:generate go tool -modfile=../../internal/tools/go.mod mdatagen metadata.yaml
