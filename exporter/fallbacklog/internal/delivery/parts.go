package delivery

// parts is the progress of a record that is sent in parts because it is too large. It is only in memory: a crash repeats the
// record.
type parts struct {
	from         int // index of the next item
	chunk        int // items in the next part; 0: the whole record
	accepted     int // items that the downstream accepted, including refusedItems
	refusedItems int // items of accepted that the downstream refused in an answer of partial success
	late         int // items that strict order delivered after a later record
	deadItems    []deadItem
	doubtful     bool // the last refusal may have had another reason than the size
}

// deadItem is an item that was refused alone. It goes to the dead letter when the last part is decided.
type deadItem struct {
	index       int
	disposition disposition
}

// next returns the range [from, to) of the next part.
func (p *pending) next() (from, to int) {
	if p.parts.chunk == 0 {
		return 0, p.items
	}
	return p.parts.from, min(p.parts.from+p.parts.chunk, p.items)
}

// nextItems returns the number of items in the next part.
func (p *pending) nextItems() int {
	from, to := p.next()
	return to - from
}

// nextBytes returns the approximate size of the next part.
func (p *pending) nextBytes() int {
	if p.items == 0 {
		return p.size()
	}
	return int(int64(p.size()) * int64(p.nextItems()) / int64(p.items))
}

// halve halves the next part. It returns false if the part has one item.
func (p *pending) halve(doubtful bool) bool {
	n := p.nextItems()
	if n <= 1 {
		return false
	}
	p.parts.chunk, p.parts.doubtful = half(n), doubtful
	return true
}

// advance records that the next part was accepted, except for refusedItems. If the size may not have been the reason of the
// last refusal the next part is twice as large. done is true after the last part.
func (p *pending) advance(refusedItems int) (done bool) {
	n := p.nextItems()
	p.parts.from += n
	p.parts.accepted += n
	p.parts.refusedItems += refusedItems
	if p.laterDelivered > 0 {
		p.parts.late += n - refusedItems
	}
	if p.parts.doubtful {
		p.parts.chunk *= 2
	}
	return p.parts.from >= p.items
}

// skip records that the next item was refused alone. done is true if it was the last one.
func (p *pending) skip(why disposition) (done bool) {
	p.parts.deadItems = append(p.parts.deadItems, deadItem{p.parts.from, why})
	p.parts.from++
	return p.parts.from >= p.items
}
