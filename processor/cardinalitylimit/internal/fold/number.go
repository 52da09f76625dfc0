package fold

import "math"

// number is an integer until a double joins it.
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
		*m = number{double: true, f: m.float() + o.float()}
		return
	}
	sum := m.i + o.i
	if (sum > m.i) != (o.i > 0) && o.i != 0 {
		n.Saturated++
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
		return &number{double: true, f: m.float() - p.float()}, grown
	}
	d := m.i - p.i
	if d < 0 { // from far below zero to far above
		d = math.MaxInt64
	}
	return &number{i: d}, grown
}

func (m *number) clone() measure {
	c := *m
	return &c
}

func (m *number) bytes() int { return 24 }
