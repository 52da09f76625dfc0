package histpoint

import (
	"math"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-custom/otelcol-custom/internal/floats"
)

// Datapoint has the methods that the points of all metric types share.
type Datapoint interface {
	Attributes() pcommon.Map
	StartTimestamp() pcommon.Timestamp
	SetStartTimestamp(pcommon.Timestamp)
	Timestamp() pcommon.Timestamp
	SetTimestamp(pcommon.Timestamp)
	Flags() pmetric.DataPointFlags
	SetFlags(pmetric.DataPointFlags)
}

// Point has the methods that both kinds of histogram points share. Use it as a constraint of a type parameter: converting
// a point to an interface allocates. That is why it has so many methods.
type Point interface {
	Datapoint
	Exemplars() pmetric.ExemplarSlice
	Count() uint64
	SetCount(uint64)
	HasSum() bool
	Sum() float64
	SetSum(float64)
	RemoveSum()
	HasMin() bool
	Min() float64
	SetMin(float64)
	RemoveMin()
	HasMax() bool
	Max() float64
	SetMax(float64)
	RemoveMax()
}

// Slice has the methods of a slice of points.
type Slice[P Datapoint] interface {
	Len() int
	At(int) P
	AppendEmpty() P
	EnsureCapacity(int)
	RemoveIf(func(P) bool)
}

// MoveCommon moves all fields other than the layout to a new point, which may be of the other kind. Attributes and
// exemplars are moved, not copied: from has none afterwards.
func MoveCommon[From, To Point](from From, to To) {
	from.Attributes().MoveTo(to.Attributes())
	from.Exemplars().MoveAndAppendTo(to.Exemplars())
	to.SetStartTimestamp(from.StartTimestamp())
	to.SetTimestamp(from.Timestamp())
	to.SetFlags(from.Flags())
	to.SetCount(from.Count())
	if from.HasSum() {
		to.SetSum(from.Sum())
	}
	if from.HasMin() {
		to.SetMin(from.Min())
	}
	if from.HasMax() {
		to.SetMax(from.Max())
	}
}

// Totals are the optional fields of a point. So that merging needs no special case, an absent sum is 0, an absent minimum
// is +Inf, and an absent maximum is -Inf.
type Totals struct {
	Sum, Min, Max          float64
	HasSum, HasMin, HasMax bool
}

// TotalsOf reads the totals of a point.
func TotalsOf[P Point](p P) Totals {
	t := Totals{Min: math.Inf(1), Max: math.Inf(-1), HasSum: p.HasSum(), HasMin: p.HasMin(), HasMax: p.HasMax()}
	if t.HasSum {
		t.Sum = p.Sum()
	}
	if t.HasMin {
		t.Min = p.Min()
	}
	if t.HasMax {
		t.Max = p.Max()
	}
	return t
}

// SetTotals writes the present totals and removes the absent ones.
func SetTotals[P Point](p P, t Totals) {
	p.RemoveSum()
	p.RemoveMin()
	p.RemoveMax()
	if t.HasSum {
		p.SetSum(t.Sum)
	}
	if t.HasMin {
		p.SetMin(t.Min)
	}
	if t.HasMax {
		p.SetMax(t.Max)
	}
}

// Finite reports whether every present total is a finite number.
func (t Totals) Finite() bool {
	return (!t.HasSum || floats.IsFinite(t.Sum)) && (!t.HasMin || floats.IsFinite(t.Min)) && (!t.HasMax || floats.IsFinite(t.Max))
}
