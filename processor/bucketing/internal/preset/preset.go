// Package preset names lists of bucket bounds and scales those of durations to a
// metric's unit.
package preset

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// Preset is a named list of bounds.
type Preset struct {
	// bounds are durations in microseconds, or plain numbers where native is 0.
	// Whole numbers, so that dividing by a unit rounds once.
	bounds []float64
	native float64 // microseconds of the unit assumed where a metric has no known one
}

const (
	microsecond = 1.0
	millisecond = 1e3 * microsecond
	second      = 1e6 * microsecond
)

var presets = map[string]Preset{
	// 10, 50, 100 and 500 ms, and a bound at zero so that what is negative shows.
	"latency_ms": {native: millisecond, bounds: scaled(millisecond, 0, 10, 50, 100, 500)},
	// The default of the OpenTelemetry SDKs, meant for milliseconds.
	// https://opentelemetry.io/docs/specs/otel/metrics/sdk/#explicit-bucket-histogram-aggregation
	"otel": {native: millisecond, bounds: scaled(millisecond, 0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000)},
	// The default of the Prometheus client libraries, in seconds.
	"prometheus": {native: second, bounds: scaled(millisecond, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000)},
	// 2^-10 to 2^19 in whatever unit: every bound is one of every exponential
	// histogram of scale >= 0. 30 bounds are 31 buckets.
	"pow2": {bounds: powersOfTwo(-10, 19)},
}

func scaled(unit float64, values ...float64) []float64 {
	for i := range values {
		values[i] *= unit
	}
	return values
}

func powersOfTwo(from, to int) []float64 {
	var bounds []float64
	for e := from; e <= to; e++ {
		bounds = append(bounds, math.Ldexp(1, e))
	}
	return bounds
}

// ErrUnknown is for a name that is not among [Names].
var ErrUnknown = errors.New("unknown preset")

// Lookup returns the preset of a name.
func Lookup(name string) (Preset, error) {
	p, ok := presets[name]
	if !ok {
		return Preset{}, fmt.Errorf("%w %q", ErrUnknown, name)
	}
	return p, nil
}

// Names returns the names of all presets, sorted.
func Names() []string {
	names := make([]string, 0, len(presets))
	for name := range presets {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// In returns the bounds in a metric's unit: s, ms, us or ns (UCUM). For any other
// unit they are those of the preset's own.
func (p Preset) In(unit string) []float64 {
	bounds := slices.Clone(p.bounds)
	if p.native == 0 {
		return bounds
	}
	for i, b := range bounds {
		switch unit {
		case "s":
			bounds[i] = b / second
		case "ms":
			bounds[i] = b / millisecond
		case "us":
			bounds[i] = b
		case "ns":
			bounds[i] = b * 1e3
		default:
			bounds[i] = b / p.native
		}
	}
	return bounds
}
