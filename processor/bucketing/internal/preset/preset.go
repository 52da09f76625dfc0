// Package preset has named lists of bucket bounds. Lists of durations follow the unit of a metric.
package preset

import (
	"math"
	"slices"
)

// Preset is a named list of bounds.
type Preset struct {
	// bounds are durations in microseconds, or numbers without a unit if native is 0. Durations are whole numbers, so that
	// dividing by a unit rounds only once.
	bounds []float64
	native float64 // the assumed unit of metrics without a known unit, in microseconds
}

const (
	microsecond = 1.0
	millisecond = 1e3 * microsecond
	second      = 1e6 * microsecond
)

var presets = map[string]Preset{
	// 10, 50, 100 and 500 ms, and a bound at zero, which shows negative values.
	"latency_ms": {native: millisecond, bounds: scaled(millisecond, 0, 10, 50, 100, 500)},
	// The default of the OpenTelemetry SDKs, in milliseconds.
	// https://opentelemetry.io/docs/specs/otel/metrics/sdk/#explicit-bucket-histogram-aggregation
	"otel": {native: millisecond, bounds: scaled(millisecond, 0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000)},
	// The default of the Prometheus client libraries, in seconds.
	"prometheus": {native: second, bounds: scaled(millisecond, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000)},
	// 2^-10 to 2^19 in any unit: 30 bounds, 31 buckets. Every exponential histogram with a scale >= 0 has these bounds.
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

// Lookup returns the preset with a name. ok is false if the name is not one of [Names].
func Lookup(name string) (p Preset, ok bool) {
	p, ok = presets[name]
	return p, ok
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

// In returns the bounds in a metric's unit: s, ms, us or ns (UCUM). For other units it returns them in the preset's own
// unit.
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
