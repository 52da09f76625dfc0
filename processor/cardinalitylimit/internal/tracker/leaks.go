package tracker

// What Bloom filters let in without a place is not known one by one: a stranger that
// is taken for a member looks like one. It is estimated from those that were refused.
// Of strangers that meet filters with a false-positive rate p, p/(1-p) were let in for
// each that was not.
//
// Who was let in is seen in that generation and, reporting on, promoted like a member.
// So each generation has an account of those it saw last, and as many as came back of
// the strangers that were refused move on to the next one.

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
	account := &b.generations[0].leaked
	*account += b.slipped()
	for i := range b.generations {
		if g := &b.generations[i]; g.age == 1 {
			back := g.leaked * b.returned(g)
			g.leaked -= back
			*account += back
		}
	}
	b.strangers[0], b.strangers[1] = b.strangers[1], b.strangers[0]
	b.strangers[0].reset()
}

// returned is the share of the strangers of the generation before, g, that came back
// in the current one. Where none was refused it is that of the members.
func (b *blooms) returned(g *generation) float64 {
	now, before := b.strangers[0], b.strangers[1]
	if all := before.count(); all > 0 {
		return max(1-before.without(now)/all, 0)
	}
	return min(float64(g.promoted)/max(float64(g.members), 1), 1)
}

// refuse counts a stranger that found no place.
func (b *blooms) refuse(fp uint64) { b.strangers[0].add(strip(fp)) }

// rates are the chances that a stranger is taken for a member of the current
// generation alone, and of one of those before.
func (b *blooms) rates() (current, older float64) {
	for i := range b.generations {
		g := &b.generations[i]
		if p := g.rate(b.before(i)); g.age == 0 {
			current += p
		} else {
			older += p
		}
	}
	return current, older
}

// odds is how many are taken for members for each who is not.
func odds(p float64) float64 { return p / max(1-p, 1e-9) }
