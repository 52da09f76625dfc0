package oversize

import "math"

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

// Refused is the number of points that were refused.
func (c *Counts) Refused() int64 { return c[PointName] + c[PointAttributes] + c[PointBuckets] }
