package delivery

import "time"

// parts is how far a record that is too large has been sent in parts. It is in memory only: a crash repeats the record.
type parts struct {
	from     int // the next item
	chunk    int // items of the next part; 0: the whole record
	taken    int // items that the downstream has, rejected ones included
	rejected int // of them
	late     int // items delivered in strict order after a later record
	refused  []refusedItem
	doubtful bool // the last refusal may have had another reason than the size
}

// refusedItem is an item that was refused alone.
type refusedItem struct {
	at  int
	why disposition
}

// next returns the items of the next part.
func (p *pending) next() (from, to int) {
	if p.parts.chunk == 0 {
		return 0, p.items
	}
	return p.parts.from, min(p.parts.from+p.parts.chunk, p.items)
}

// nextItems is the number of items of the next part.
func (p *pending) nextItems() int {
	from, to := p.next()
	return to - from
}

// nextBytes is about the size of the next part.
func (p *pending) nextBytes() int {
	if p.items == 0 {
		return p.size()
	}
	return int(int64(p.size()) * int64(p.nextItems()) / int64(p.items))
}

// halve makes the next part half as large; false where it is one item.
func (p *pending) halve(doubtful bool) bool {
	n := p.nextItems()
	if n <= 1 {
		return false
	}
	p.parts.chunk, p.parts.doubtful = half(n), doubtful
	return true
}

// advance notes that the next part was accepted, except for the rejected items. Where its size may not have been the reason of the
// last refusal, the next part is twice as large again.
func (p *pending) advance(rejected int) (done bool) {
	n := p.nextItems()
	p.parts.from += n
	p.parts.taken += n
	p.parts.rejected += rejected
	if p.passedBy > 0 {
		p.parts.late += n - rejected
	}
	if p.parts.doubtful {
		p.parts.chunk *= 2
	}
	return p.parts.from >= p.items
}

// skip notes that the next item was refused alone.
func (p *pending) skip(why disposition) (done bool) {
	p.parts.refused = append(p.parts.refused, refusedItem{p.parts.from, why})
	p.parts.from++
	return p.parts.from >= p.items
}

// sizes remembers what sizes a downstream accepts, in bytes of records. It is used by one goroutine.
type sizes struct {
	refused int // the smallest size that was too large; 0: none was
	taken   int // the largest size that passed since then
	least   int // the size to try when none has passed
	until   time.Time
}

// How long a size is kept before a larger request is tried: for long where a record passed in parts, which shows that it
// was the size, and shortly where some of several records may have been at fault.
const (
	sizesFor      = 10 * time.Minute
	sizesTogether = time.Minute
)

// tooLarge notes that a request of several records was refused for its size.
func (s *sizes) tooLarge(now time.Time, bytes int) { s.learn(now, bytes, bytes/2, sizesTogether) }

// aloneTooLarge notes that a record alone was refused for its size. Then it was the reason of the refusals together, too.
func (s *sizes) aloneTooLarge() {
	if s.least > 0 {
		*s = sizes{}
	}
}

// partTaken notes that a part of a record that was refused for its size passed.
func (s *sizes) partTaken(now time.Time, record, part int) {
	s.learn(now, record, 0, sizesFor)
	s.passed(part)
}

func (s *sizes) learn(now time.Time, bytes, least int, keep time.Duration) {
	if s.refused == 0 || bytes < s.refused || now.After(s.until) {
		s.refused, s.taken = bytes, 0
	}
	s.least = least
	s.until = now.Add(keep)
}

func (s *sizes) passed(bytes int) {
	switch {
	case bytes >= s.refused:
		s.refused, s.taken = 0, 0 // the size was not the reason, or is no longer
	default:
		s.taken = max(s.taken, bytes)
	}
}

// limit is the size of the next requests where a larger one was refused; 0: there is no limit.
func (s *sizes) limit(now time.Time) int {
	if s.refused == 0 || now.After(s.until) {
		return 0
	}
	return max(s.taken, s.least)
}
