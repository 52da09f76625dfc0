package fold

import (
	"cmp"

	"go.opentelemetry.io/collector/pdata/pmetric"
)

// Restore sets the state of an unused table to that of a cut. State without memory is forgotten, as that of a silent stream is.
// Killed means that points may have come after the cut. Then the growth of a stream with a place since the cut has been sent.
func (t *Table) Restore(c *Cut, killed bool) {
	t.origin = c.origin
	t.unknownUntil.Store(max(c.unknownUntil, t.forgotten.restore(&c.forgotten)))
	if !killed { // otherwise writers may have had streams that we do not know
		t.restoreWriters(c.writers)
	}
	t.cuts = c.number
	t.Stored(c)
	for i := range c.accumulators {
		f := &c.accumulators[i]
		a := f.accumulator
		a.value, a.earliest, a.newest = f.cutValue, f.earliest, f.newest
		a.emitted, a.seen, a.unsent = f.emitted, f.seen, f.unsent
		if a.refs < 0 || !t.install(a) {
			a.refs = -1 // its streams are forgotten, too
			t.origin = max(t.origin, a.emitted)
		}
	}
	t.restoreRefused(c.refused)
	for i := range c.streams {
		s := c.streams[i].stream
		if s.to.refs < 0 {
			t.rememberForgotten(c.streams[i].id)
			continue
		}
		s.bytes = s.size()
		if !t.reserve(s.bytes) {
			t.rememberForgotten(c.streams[i].id)
			t.stats.add(Stats{StatRefusedStreams: 1})
			continue
		}
		s.uncertain = s.uncertain || killed && (s.admitted || s.passAfterCut != 0)
		if s.uncertain {
			s.markOthersUncertain()
		}
		in := t.shard(c.streams[i].id)
		in.add(c.streams[i].id, &s)
		s.to.count(1, 0)
		if s.contributes() {
			s.to.count(0, 1)
		}
	}
}

// ForgetGauges removes the gauges that rules for labels fold, because a changed rule may fold them in another way.
func (c *Cut) ForgetGauges() {
	for i := range c.accumulators {
		if a := &c.accumulators[i]; a.series.Type == pmetric.MetricTypeGauge && a.series.Gauge != GaugeDrop {
			a.refs = -1
		}
	}
}

// install adds an accumulator. It returns false if gauges are folded in another way now, or without memory.
func (t *Table) install(a *accumulator) bool {
	gauge := cmp.Or(a.series.Gauge, t.opts.Gauge)
	gone := a.series.Type == pmetric.MetricTypeGauge && gauge == GaugeDrop
	if gone || a.method != a.series.method(gauge) || t.accumulators[a.id] != nil {
		return false
	}
	value := 0
	if a.value != nil {
		value = a.value.bytes()
	}
	a.bytes, a.valueRoom = seriesBytes+value, value
	if !t.reserve(a.bytes) || t.chargeRest(a, value) == nil {
		t.stats.add(Stats{StatRefusedStreams: 1})
		return false
	}
	t.accumulators[a.id] = a
	return true
}

// restoreRefused adds the refused parcels. Values of a series that found no memory are lost.
func (t *Table) restoreRefused(refused []outgoing) {
	var n Stats
	all := parcels{}
	for i := range refused {
		if refused[i].from.refs < 0 {
			n[StatUndelivered]++
			continue
		}
		all.add(&refused[i])
	}
	for _, p := range all {
		t.keepRefused(p)
	}
	t.stats.add(n)
}
