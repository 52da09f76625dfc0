//go:generate go tool -modfile=../../internal/tools/go.mod mdatagen metadata.yaml

// Package bucketing is a processor that brings histograms to a wanted layout:
// explicit bounds, an exponential scale and size, or a number of buckets.
//
// Data flows match -> plan -> split: the first rule that matches a metric decides
// its target, internal/convert walks the points, and the arithmetic is that of
// internal/rebucket and internal/expo.
package bucketing
