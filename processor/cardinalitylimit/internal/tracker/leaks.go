package tracker

// What Bloom filters let in without a place is not known one by one: a stranger that
// is taken for a member looks like one. It is estimated from those that were refused.
// Of strangers that meet filters with a false-positive rate p, p/(1-p) were let in for
// each that was not.
//
// Who was let in is seen in that generation and, reporting on, promoted like a member.
// So each generation has its account, and the share that a member of it had of being
// promoted goes on where it is forgotten.

// leaked estimates how many strangers of the remembered generations were let in.
func (b *blooms) leaked() float64 {
	sum := b.slipped()
	for i := range b.generations {
		sum += b.generations[i].leaked
	}
	return sum
}

// slipped is what goes with those refused in the current generation. Who had been
// refused in the one before was then no false positive of the older filters, and meets
// the current ones as new.
func (b *blooms) slipped() float64 {
	current, older := b.rates()
	now, before := b.strangers[0], b.strangers[1]
	return now.count()*odds(current) + now.without(before)*odds(older)
}

// slip is what goes with one more who has entered.
func (b *blooms) slip() {
	current, older := b.rates()
	b.generations[0].leaked += odds(current) + odds(older)
}

// settle closes the account of the current generation.
func (b *blooms) settle() {
	b.generations[0].leaked += b.slipped()
	b.strangers[0], b.strangers[1] = b.strangers[1], b.strangers[0]
	b.strangers[0].reset()
}

// carried is the part of the account that a generation leaves when it is forgotten.
func (g *generation) carried() float64 {
	if g.members == 0 {
		return 0
	}
	return g.leaked * min(float64(g.promoted)/float64(g.members), 1)
}

// refuse counts a stranger that found no place.
func (b *blooms) refuse(fp uint64) { b.strangers[0].add(strip(fp)) }

// rates are the chances that a stranger is taken for a member of the current
// generation, and of one of those before.
func (b *blooms) rates() (current, older float64) {
	fresh := [2]float64{1, 1} // the chance of not being: current, older
	for i := range b.generations {
		g := &b.generations[i]
		fresh[min(g.age, 1)] *= 1 - g.rate()
	}
	return 1 - fresh[0], 1 - fresh[1]
}

// rate is the false-positive rate of the filter as full as it is.
func (f *filter) rate() float64 {
	p, fill := 1.0, float64(f.ones)/float64(f.Cap())
	for range f.K() {
		p *= fill
	}
	return p
}

// odds is how many are taken for members for each who is not.
func odds(p float64) float64 { return p / max(1-p, 1e-9) }
