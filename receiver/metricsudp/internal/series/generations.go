package series

import "github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"

// resolve finds the share of a line that the young generation does not know.
func (t *Table) resolve(hash uint64, l *line.Line, negative bool) (*local, spelling, line.Reason) {
	to, spelled := t.old.find(hash, l)
	known := to != nil
	// An overflow series is looked up again: there may be room for the real one.
	if !known || to.overflow {
		nameLen, found, reason := t.canonical(l)
		if reason != line.OK {
			return nil, 0, reason
		}
		if negative && t.options.isMonotonic(t.key[1:1+nameLen]) {
			return nil, 0, line.NegativeCounter
		}
		spelled = found
		s, created := t.registry.resolve(l.Kind, t.key, nameLen, t.canonicalOrigin(l))
		if created {
			t.active.suspectName(t.name, t.options.Limits.NameFormats)
		}
		to = t.localOf(s)
	}
	switch {
	case !known && t.admit(l):
		t.young.add(hash, l, spelled, to)
	case known && t.young.reserve(l): // where memory is refused it stays in the old one
		t.young.add(hash, l, spelled, to)
		if t.old.moved(l); t.old.n == 0 {
			t.old.drop() // all are in use: no need to hold their bytes twice
		}
	}
	return to, spelled, line.OK
}

// admit makes room for an alias, or reports that there is none. A table that is
// refused gives up its old generation, but only after as many refusals as its part
// of the limit is, so that a flood does not drop what is in use.
func (t *Table) admit(l *line.Line) bool {
	if t.take(l) {
		return true
	}
	if t.refused += cost(l); t.refused < t.patience {
		return false
	}
	t.rotate()
	return t.take(l)
}

func (t *Table) take(l *line.Line) bool {
	if !t.registry.takeAliases(cost(l)) {
		return false
	}
	if !t.young.reserve(l) {
		t.registry.returnAliases(cost(l))
		return false
	}
	return true
}

// rotate drops what was not seen since the last rotation. A share with values in
// the present epoch is still in that epoch's list.
func (t *Table) rotate() {
	t.registry.returnAliases(t.old.cost)
	t.old.drop()
	t.old, t.young = t.young, t.young.successor(t.active.takeSpare())
	t.refused = 0
}

// Swap retires the epoch in use. The one retired before must have been merged.
func (t *Table) Swap() *Epoch {
	retired := t.active
	retired.Aliases = t.young.n + t.old.n
	t.active = &t.epochs[1-retired.half]
	t.swaps++
	// Two rotations within the life of an idle series: no alias outlives it.
	rotation := t.options.ExpirySwaps / 2
	if t.swaps%rotation == 0 {
		t.rotate()
	}
	if (t.swaps+1)%rotation == 0 {
		t.order(retired)
	}
	return retired
}

// order has the flusher make the entries that the next Swap's rotation needs: to
// clear them takes most of a millisecond for 100,000 aliases, in which nothing is read.
func (t *Table) order(e *Epoch) {
	if size := sizeFor(max(t.young.n, t.old.n)); t.registry.budget.Reserve(size * aliasStruct) {
		e.ordered = size
	}
}
