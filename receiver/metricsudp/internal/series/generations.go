package series

import "github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"

// resolve finds the part of a line that the young generation does not know.
func (t *Table) resolve(hash uint64, l *line.Line, negative bool) (*part, spelling, line.Reason) {
	to, spelled := t.old.find(hash, l)
	known := to != nil
	// A line whose part is that of an overflow series is resolved again, because its own series may have room now.
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
		to = t.partOf(s)
	}
	switch {
	case !known && t.admit(l):
		t.young.add(hash, l, spelled, to)
	case known && t.young.reserve(l): // if the budget refuses the memory, the alias stays in the old generation
		t.young.add(hash, l, spelled, to)
		if t.old.moved(l); t.old.n == 0 {
			t.old.drop() // every alias has moved, so the old generation's bytes are not needed any more
		}
	}
	return to, spelled, line.OK
}

// admit makes room for an alias. It reports false if the limit or the budget refuses it. When the refused aliases have
// cost t.patience since the last rotation, the table drops its old generation to make room. It waits that long so that a short
// flood of new lines does not drop aliases that are in use.
func (t *Table) admit(l *line.Line) bool {
	if t.reserveAlias(l) {
		return true
	}
	if t.refused += cost(l); t.refused < t.patience {
		return false
	}
	t.rotate()
	return t.reserveAlias(l)
}

func (t *Table) reserveAlias(l *line.Line) bool {
	if !t.registry.reserveAliases(cost(l)) {
		return false
	}
	if !t.young.reserve(l) {
		t.registry.releaseAliases(cost(l))
		return false
	}
	return true
}

// rotate drops the aliases of lines that did not come since the last rotation. Their parts are not lost: a part with values in
// the present epoch is still in that epoch's list.
func (t *Table) rotate() {
	t.registry.releaseAliases(t.old.cost)
	t.old.drop()
	t.old, t.young = t.young, t.young.successor(t.active.removeSpare())
	t.refused = 0
}

// Swap retires the epoch in use and returns it. The epoch that was retired before must have been merged.
func (t *Table) Swap() *Epoch {
	retired := t.active
	retired.Aliases = t.young.n + t.old.n
	t.active = &t.epochs[1-retired.half]
	t.swaps++
	// Two rotations take place before an idle series expires, so no alias outlives its series.
	rotation := t.options.ExpirySwaps / 2
	if t.swaps%rotation == 0 {
		t.rotate()
	}
	if (t.swaps+1)%rotation == 0 {
		t.orderSpare(retired)
	}
	return retired
}

// orderSpare has the flusher allocate the entries that the rotation of the next Swap needs. The reader would need most of a
// millisecond to clear them for 100,000 aliases, and would read nothing in that time.
func (t *Table) orderSpare(e *Epoch) {
	if size := sizeFor(max(t.young.n, t.old.n)); t.registry.budget.Reserve(size * aliasStruct) {
		e.ordered = size
	}
}
