package histpoint

import (
	"math"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// Datapoint is what the points of all metric types have in common.
type Datapoint interface {
	Attributes() pcommon.Map
	StartTimestamp() pcommon.Timestamp
	SetStartTimestamp(pcommon.Timestamp)
	Timestamp() pcommon.Timestamp
	SetTimestamp(pcommon.Timestamp)
	Flags() pmetric.DataPointFlags
	SetFlags(pmetric.DataPointFlags)
}

// Point is what both kinds of histogram point have in common. Use it as a
// constraint: a point in an interface is an allocation.
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

// Slice is a slice of points of one kind.
type Slice[P Datapoint] interface {
	Len() int
	At(int) P
	AppendEmpty() P
	EnsureCapacity(int)
	RemoveIf(func(P) bool)
}

// MoveCommon moves everything but the layout to a new point, which may be of the
// other kind. Attributes and exemplars are not copied; from has none afterwards.
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

// Totals are the fields of a point that may be absent. An absent sum is 0, an
// absent minimum +Inf, an absent maximum -Inf, so that merging needs no special
// case.
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

// SetTotals writes the totals that are there and removes the others.
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

// Finite reports whether every total that is there is a finite number.
func (t Totals) Finite() bool {
	return (!t.HasSum || finite(t.Sum)) && (!t.HasMin || finite(t.Min)) && (!t.HasMax || finite(t.Max))
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
