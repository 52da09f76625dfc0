package fold

import (
	"math"

	"github.com/otelcol-custom/otelcol-custom/internal/floats"
)

// number is an integer until a double is added.
type number struct {
	double bool
	i      int64
	f      float64
}

var _ measure = (*number)(nil)

func (m *number) float() float64 {
	if m.double {
		return m.f
	}
	return float64(m.i)
}

func (m *number) less(o *number) bool {
	if m.double || o.double {
		return m.float() < o.float()
	}
	return m.i < o.i
}

func (m *number) add(d measure, n *Stats) {
	o := d.(*number)
	if m.double || o.double {
		*m = number{double: true, f: plus(m.float(), o.float(), n)}
		return
	}
	sum := m.i + o.i
	if (sum > m.i) != (o.i > 0) && o.i != 0 {
		n[StatSaturated]++
		sum = math.MaxInt64
		if o.i < 0 {
			sum = math.MinInt64
		}
	}
	m.i = sum
}

func (m *number) since(prev measure) (measure, relation) {
	p := prev.(*number)
	if m.less(p) {
		return nil, reset
	}
	if m.double || p.double {
		return &number{double: true, f: floats.Clamp(m.float() - p.float())}, grown
	}
	d := m.i - p.i
	if d < 0 { // the difference between a large negative and a large positive value overflows
		d = math.MaxInt64
	}
	return &number{i: d}, grown
}

func (m *number) restated(prev measure) (measure, relation) { return m.since(prev) }

func (m *number) clone() measure {
	c := *m
	return &c
}

func (m *number) size() float64 { return m.float() }

func (m *number) bytes() int { return 24 }

// plus adds finite numbers. The sum stays finite, because an infinity would spoil every later total downstream. A sum that is
// changed for this is counted.
func plus(a, b float64, n *Stats) float64 {
	sum := a + b
	if math.IsInf(sum, 0) {
		n[StatSaturated]++
	}
	return floats.Clamp(sum)
}
