package oversize

import (
	"math"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// Limits are the bounds. 0 turns a bound off.
type Limits struct {
	MaxCount      int // number of attributes of a resource, scope, point or exemplar
	MaxNameBytes  int // length of attribute names, metric names, units, scope names and versions
	MaxValueBytes int // length of attribute values, descriptions and schema URLs
	MaxDepth      int // number of nested lists and maps in a value
	MaxBuckets    int // number of buckets of a histogram, or of quantiles of a summary
}

// SuffixBytes is the length of the end of a cut text: ~ and the hash. A bound on texts must be greater.
const SuffixBytes = 12

// orNone returns the bound, or the greatest integer if the bound is off.
func orNone(limit int) int {
	if limit == 0 {
		return math.MaxInt
	}
	return limit
}

// Bounds decide with one look at each attribute whether a point is within the limits. A point over a bound may nevertheless be
// within the limits.
type Bounds struct {
	Attributes int // number of attributes
	NameBytes  int
	TextBytes  int // length of a text value
	nested     bool
}

// Bounds returns the bounds of the limits.
func (l *Limits) Bounds() Bounds {
	return Bounds{
		Attributes: orNone(l.MaxCount), NameBytes: orNone(l.MaxNameBytes), TextBytes: orNone(l.MaxValueBytes),
		nested: l.MaxValueBytes == 0 && l.MaxDepth == 0,
	}
}

// Allow reports whether a value that is not a text is within the bounds. It returns false for bytes, lists and maps if they
// need a closer look.
func (b *Bounds) Allow(v pcommon.Value) bool {
	switch v.Type() {
	case pcommon.ValueTypeBytes, pcommon.ValueTypeMap, pcommon.ValueTypeSlice:
		return b.nested
	default:
		return true
	}
}

// Kind is a bound that was exceeded, with the consequence.
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
	Kinds                       // number of kinds; as a Kind it means that no bound was exceeded
)

var kindNames = [Kinds]string{
	"name", "value", "depth", "attributes", "point_name", "point_attributes", "point_buckets",
}

func (k Kind) String() string { return kindNames[k] }

// Counts is the number of times that each bound was exceeded.
type Counts [Kinds]int64
