package oversize

import (
	"math"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// Limits are the bounds. 0 turns one off.
type Limits struct {
	MaxCount      int // attributes of a resource, scope, point or exemplar
	MaxNameBytes  int // names of attributes and metrics, units, scope names and versions
	MaxValueBytes int // attribute values, descriptions, schema URLs
	MaxDepth      int // lists and maps within each other
	MaxBuckets    int // buckets of a histogram, quantiles of a summary
}

// SuffixBytes is the length of what a cut text ends in; a bound on texts must be longer.
const SuffixBytes = 12

// orNone is a bound as a number to compare with: one that is off is never exceeded.
func orNone(limit int) int {
	if limit == 0 {
		return math.MaxInt
	}
	return limit
}

// Bounds tell by one look at each attribute of a point that the point is within the limits. A point that is not within the
// bounds may still be within the limits.
type Bounds struct {
	Attributes int // number of them
	NameBytes  int
	TextBytes  int // of a value
	nested     bool
}

// Bounds returns the bounds of the limits.
func (l *Limits) Bounds() Bounds {
	return Bounds{
		Attributes: orNone(l.MaxCount), NameBytes: orNone(l.MaxNameBytes), TextBytes: orNone(l.MaxValueBytes),
		nested: l.MaxValueBytes == 0 && l.MaxDepth == 0,
	}
}

// Allow reports whether a value that is not a text is within the bounds. Bytes, lists and maps need a longer look.
func (b *Bounds) Allow(v pcommon.Value) bool {
	switch v.Type() {
	case pcommon.ValueTypeBytes, pcommon.ValueTypeMap, pcommon.ValueTypeSlice:
		return b.nested
	default:
		return true
	}
}

// Kind says which bound was exceeded, and what came of it.
type Kind uint8

// Kinds.
const (
	Name            Kind = iota // a name was cut
	Value                       // a value was cut for its length
	Depth                       // a value was cut for its nesting
	Attributes                  // an attribute of a resource, scope, metric or exemplar was removed
	PointName                   // a point was refused for the length of a name
	PointAttributes             // a point was refused for the number of its attributes
	PointBuckets                // a point was refused for the number of its buckets
	Kinds
)

var kindNames = [Kinds]string{
	"name", "value", "depth", "attributes", "point_name", "point_attributes", "point_buckets",
}

func (k Kind) String() string { return kindNames[k] }

// Counts is how often each bound was exceeded.
type Counts [Kinds]int64

// Refused is the number of points that were refused.
func (c *Counts) Refused() int64 { return c[PointName] + c[PointAttributes] + c[PointBuckets] }
