//go:generate go tool -modfile=../../internal/tools/go.mod mdatagen metadata.yaml

// Package bucketing is a processor that converts histograms to a layout: explicit bounds, an exponential scale and size,
// or a number of buckets.
//
// Data flows match -> plan -> split. The first rule that matches a metric determines its target, internal/convert converts
// the points, and internal/rebucket and internal/expo do the arithmetic.
package bucketing
