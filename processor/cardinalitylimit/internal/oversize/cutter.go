package oversize

import (
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// Cutter applies the limits to one batch. It is not safe for concurrent use. It allocates nothing for data within the limits.
type Cutter struct {
	Limits Limits
	// Copy leaves the batch unchanged and cuts values in a copy. A dry run needs it.
	Copy bool
	// Counts counts the exceeded bounds.
	Counts Counts
	// Example is the first exceeded bound.
	Example Example
}

// Example describes an exceeded bound for a person.
type Example struct {
	Kind Kind
	// Name is the name of the attribute, or of the field of the metric or scope. A sender may have chosen it, so its length is
	// not bounded.
	Name string
}

func (c *Cutter) count(k Kind, name string) {
	if c.Counts == (Counts{}) {
		c.Example = Example{k, name}
	}
	c.Counts[k]++
}

// ResourceMetrics bounds the texts of a resource and returns the bounded resource. That is a copy if c.Copy is set and a bound
// is exceeded.
func (c *Cutter) ResourceMetrics(rm pmetric.ResourceMetrics) pcommon.Resource {
	c.text(rm.SchemaUrl(), c.Limits.MaxValueBytes, Value, "schema_url", rm.SetSchemaUrl)
	r := rm.Resource()
	attributes, same := c.attributes(r.Attributes())
	if same {
		return r
	}
	bounded := pcommon.NewResource()
	attributes.MoveTo(bounded.Attributes())
	return bounded
}

// ScopeMetrics is ResourceMetrics for a scope.
func (c *Cutter) ScopeMetrics(sm pmetric.ScopeMetrics) pcommon.InstrumentationScope {
	c.text(sm.SchemaUrl(), c.Limits.MaxValueBytes, Value, "schema_url", sm.SetSchemaUrl)
	s := sm.Scope()
	c.text(s.Name(), c.Limits.MaxNameBytes, Name, "scope.name", s.SetName)
	c.text(s.Version(), c.Limits.MaxNameBytes, Name, "scope.version", s.SetVersion)
	attributes, same := c.attributes(s.Attributes())
	if same {
		return s
	}
	bounded := pcommon.NewInstrumentationScope()
	bounded.SetName(s.Name())
	bounded.SetVersion(s.Version())
	attributes.MoveTo(bounded.Attributes())
	return bounded
}

// Metric bounds the texts of a metric with a number of points. It returns false if the name is too long. Then all points of
// the metric are refused.
func (c *Cutter) Metric(m pmetric.Metric, points int) (ok bool) {
	if points > 0 && len(m.Name()) > orNone(c.Limits.MaxNameBytes) {
		c.count(PointName, m.Name())
		c.Counts[PointName] += int64(points) - 1
		return false
	}
	c.text(m.Name(), c.Limits.MaxNameBytes, Name, "metric.name", m.SetName) // too long only if the metric has no points
	c.text(m.Unit(), c.Limits.MaxNameBytes, Name, "unit", m.SetUnit)
	c.text(m.Description(), c.Limits.MaxValueBytes, Value, "description", m.SetDescription)
	c.attributes(m.Metadata())
	return true
}

// Point bounds the values of a point's attributes and returns the bounded attributes. It returns false if the point is
// refused, because an attribute name is too long or there are too many attributes. Cutting them would make another series.
func (c *Cutter) Point(m pcommon.Map) (attributes pcommon.Map, ok bool) {
	if m.Len() > orNone(c.Limits.MaxCount) {
		c.count(PointAttributes, "")
		return m, false
	}
	over, longest := false, orNone(c.Limits.MaxNameBytes)
	for name, v := range m.All() {
		if len(name) > longest {
			c.count(PointName, name)
			return m, false
		}
		over = over || c.Limits.exceededBy(v) < Kinds
	}
	if over {
		m, _ = c.attributes(m)
	}
	return m, true
}

// Again is Point for a point that was bounded before. It counts nothing. It makes the copy again if c.Copy is set.
func (c *Cutter) Again(m pcommon.Map) (attributes pcommon.Map, ok bool) {
	counts, example := c.Counts, c.Example
	attributes, ok = c.Point(m)
	c.Counts, c.Example = counts, example
	return attributes, ok
}

// Buckets reports whether a point may have so many buckets.
func (c *Cutter) Buckets(n int) (ok bool) {
	if n <= orNone(c.Limits.MaxBuckets) {
		return true
	}
	c.count(PointBuckets, "")
	return false
}

// Exemplars bounds the attributes of exemplars.
func (c *Cutter) Exemplars(s pmetric.ExemplarSlice) {
	for i := range s.Len() {
		c.attributes(s.At(i).FilteredAttributes())
	}
}

// text cuts a text of a field, unless c.Copy is set.
func (c *Cutter) text(s string, limit int, k Kind, field string, set func(string)) {
	if len(s) <= orNone(limit) {
		return
	}
	c.count(k, field)
	if !c.Copy {
		set(cutText(s, limit, hasher.String(s)))
	}
}

// attributes bounds a map of attributes. If there are too many, it removes the last ones by name. It returns the bounded map
// and whether that is m.
func (c *Cutter) attributes(m pcommon.Map) (bounded pcommon.Map, same bool) {
	over, names := c.exceeds(m)
	switch {
	case !over:
		return m, true
	case c.Copy:
		return c.rebuild(m), false
	case names:
		c.rebuild(m).MoveTo(m)
		return m, true
	}
	for name, v := range m.All() {
		if text, k := c.value(v); k < Kinds {
			c.count(k, name)
			v.SetStr(text)
		}
	}
	return m, true
}

// exceeds reports whether anything in m is over a bound, and whether a name or the number of attributes is.
func (c *Cutter) exceeds(m pcommon.Map) (over, names bool) {
	if m.Len() > orNone(c.Limits.MaxCount) {
		return true, true
	}
	for name, v := range m.All() {
		if len(name) > orNone(c.Limits.MaxNameBytes) {
			return true, true
		}
		over = over || c.Limits.exceededBy(v) < Kinds
	}
	return over, false
}

// rebuild makes a map of the attributes within the bounds. It moves the values, or copies them if c.Copy is set. It uses Go
// maps, because pcommon.Map compares all its names for each lookup.
func (c *Cutter) rebuild(m pcommon.Map) pcommon.Map {
	values := make(map[string]pcommon.Value, min(m.Len(), orNone(c.Limits.MaxCount)))
	empty := make(map[string]any, len(values))
	last, spare := c.lastName(m)
	for name, v := range m.All() {
		if name > last || name == last && spare == 0 {
			c.count(Attributes, name)
			continue
		}
		if name == last {
			spare--
		}
		if len(name) > orNone(c.Limits.MaxNameBytes) {
			c.count(Name, name)
			name = cutText(name, c.Limits.MaxNameBytes, hasher.String(name))
		}
		values[name], empty[name] = v, nil
	}
	bounded := pcommon.NewMap()
	_ = bounded.FromRaw(empty) // fails for values of unknown types only
	for name, to := range bounded.All() {
		from := values[name]
		text, k := c.value(from)
		switch {
		case k < Kinds:
			c.count(k, name)
			to.SetStr(text)
		case c.Copy:
			from.CopyTo(to)
		default:
			from.MoveTo(to)
		}
	}
	return bounded
}

// lastName returns the last name, in sorted order, that is within MaxCount, and how many attributes of that name are. A
// malformed map may have several attributes with one name.
func (c *Cutter) lastName(m pcommon.Map) (last string, spare int) {
	names := make([]string, 0, m.Len())
	for name := range m.All() {
		names = append(names, name)
	}
	slices.Sort(names)
	names = names[:min(len(names), orNone(c.Limits.MaxCount))]
	last = names[len(names)-1]
	for spare < len(names) && names[len(names)-1-spare] == last {
		spare++
	}
	return last, spare
}

// value returns the text that replaces a value and the bound that the value exceeds, or Kinds.
func (c *Cutter) value(v pcommon.Value) (text string, k Kind) {
	if k = c.Limits.exceededBy(v); k == Kinds {
		return "", k
	}
	return c.Limits.cut(v), k
}
