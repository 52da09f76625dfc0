package oversize

import (
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// Cutter applies the limits to one batch. Not safe for concurrent use. Nothing is allocated for what
// is within the limits.
type Cutter struct {
	Limits Limits
	// Copy leaves the batch as it is: what is over a bound is cut in a copy. For a dry run.
	Copy bool
	// Counts tallies what was over a bound.
	Counts Counts
	// Example is the first of them.
	Example Example
}

// Example says for a person what was over a bound.
type Example struct {
	Kind Kind
	// Name of the attribute, or of the field of the metric or scope. A sender may have chosen it,
	// at any length.
	Name string
}

func (c *Cutter) count(k Kind, name string) {
	if c.Counts == (Counts{}) {
		c.Example = Example{k, name}
	}
	c.Counts[k]++
}

// ResourceMetrics bounds the texts of a resource and returns the resource to go by, which is a
// copy where the batch is to stay as it is.
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

// ScopeMetrics is what ResourceMetrics is, for a scope.
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

// Metric bounds the texts of a metric that has so many points. It reports false if the name is too long:
// then no point of the metric may leave.
func (c *Cutter) Metric(m pmetric.Metric, points int) (ok bool) {
	if points > 0 && len(m.Name()) > orNone(c.Limits.MaxNameBytes) {
		c.count(PointName, m.Name())
		c.Counts[PointName] += int64(points) - 1
		return false
	}
	c.text(m.Name(), c.Limits.MaxNameBytes, Name, "metric.name", m.SetName) // of a metric without points
	c.text(m.Unit(), c.Limits.MaxNameBytes, Name, "unit", m.SetUnit)
	c.text(m.Description(), c.Limits.MaxValueBytes, Value, "description", m.SetDescription)
	c.attributes(m.Metadata())
	return true
}

// Point bounds the values of a point's attributes and returns the attributes to go by. It reports
// false for a point that may not leave: to cut its names, or their number, would make it another
// series.
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

// Again is Point for a point that was bounded before: nothing is counted. Only a copy is made again.
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

// text cuts a text that is not an attribute's, unless the batch is to stay as it is.
func (c *Cutter) text(s string, limit int, k Kind, field string, set func(string)) {
	if len(s) <= orNone(limit) {
		return
	}
	c.count(k, field)
	if !c.Copy {
		set(cutText(s, limit, hasher.String(s)))
	}
}

// attributes bounds a map of attributes: those in excess go, the last ones by name first. It returns
// the map to go by, and whether that is m.
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

// exceeds reports whether anything of m is over a bound, and whether that is a name or the number of them.
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

// rebuild makes a map of what is within the bounds. The values are moved, or copied where the batch
// is to stay as it is. It goes by maps of Go's, as pcommon.Map looks through all of its names for each.
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

// lastName returns the last of the names that fit by their order, and how many attributes of that
// name fit: a malformed map may have several.
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

// value returns the text that a value is replaced by, and which bound it exceeds; Kinds for none.
func (c *Cutter) value(v pcommon.Value) (text string, k Kind) {
	if k = c.Limits.exceededBy(v); k == Kinds {
		return "", k
	}
	return c.Limits.cut(v), k
}
