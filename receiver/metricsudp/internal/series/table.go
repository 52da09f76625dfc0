package series

import (
	"bytes"
	"math"
	"math/rand/v2"
	"net/netip"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
)

// Table is one reader's. Its methods are for that reader only; what Swap returns
// is for the flusher.
//
// Aliases live in two generations: a hit in the older one moves to the younger,
// and a rotation drops the older. So what was not seen for two rotations is gone,
// without a scan. All tables together never know more than MaxAliases; a line past
// that is resolved each time it comes.
type Table struct {
	registry *Registry
	options  *Options

	id         int // index of its shares in Series.locals
	young, old aliases
	refused    int // cost of aliases refused since the last rotation
	patience   int // refusals after which the table rotates
	swaps      uint64

	random *rand.Rand // or nil; see Options.Random

	epochs [2]Epoch
	active *Epoch

	batch   [batchLines]pending
	batched int          // lines in batch
	values  []line.Value // of the lines in batch

	tags []rawTag
	name []byte // as sent, without its tags
	key  []byte
	keys []byte // of tags, as they were cleaned

	entity []byte // the pod that a tag of the line names

	from      netip.Addr // of the datagram
	address   []byte     // from as the origin of lines; nil where it is unknown
	originKey []byte     // identity of the line's origin
}

// NewTable returns the table of one reader, of which there are Options.Tables.
func NewTable(r *Registry) *Table {
	t := &Table{
		registry: r, options: r.options,
		id:       int(r.tables.Add(1)) - 1,
		patience: max(r.options.MaxAliases/r.options.Tables/2, 1),
	}
	t.young.budget, t.old.budget = r.budget, r.budget
	if r.options.Random != nil {
		t.random = rand.New(r.options.Random())
	}
	t.epochs[1].half = 1
	t.active = &t.epochs[0]
	return t
}

// Datagram counts the lines of a datagram that was received at a time in
// nanoseconds of a clock common to all tables. The rest of a truncated datagram's
// last line is unknown, so that line is refused. The sender's address matters to
// OriginIP and to events only.
func (t *Table) Datagram(b []byte, truncated bool, at int64, from netip.Addr) {
	if t.options.Origin == OriginIP {
		t.setAddress(from)
	}
	t.from = from
	stats := &t.active.Stats
	stats.Datagrams++
	stats.Bytes += uint64(len(b))
	if truncated {
		stats.Truncated++
		end := bytes.LastIndexByte(b, '\n') + 1
		if tail := b[end:]; len(tail) > 0 {
			t.active.reject(line.Truncated, tail)
		}
		b = b[:end]
	}
	for len(b) > 0 {
		l := b
		if end := bytes.IndexByte(b, '\n'); end >= 0 {
			l, b = b[:end], b[end+1:]
		} else {
			b = nil
		}
		if n := len(l); n > 0 && l[n-1] == '\r' {
			l = l[:n-1]
		}
		if len(l) > 0 && t.parse(l) {
			t.aggregate(at)
		}
	}
	t.aggregate(at)
}

// Denied counts a datagram from a source that is not allowed.
func (t *Table) Denied() { t.active.Stats.Denied++ }

// parse adds a line to the batch, unless it is refused or belongs to no series. It reports whether
// the batch is full.
func (t *Table) parse(b []byte) (full bool) {
	p, e := &t.batch[t.batched], t.active
	l := &p.line
	l.Values = t.values[len(t.values):]
	if reason := line.Parse(b, l, &t.options.Limits); reason != line.OK {
		e.reject(reason, b)
		return false
	}
	p.negative = false
	switch l.Kind {
	case line.Event, line.ServiceCheck:
		e.Stats.Lines[l.Kind]++
		if t.options.Events != nil {
			t.options.Events(l.Kind, b, t.from)
		}
		return false
	case line.Counter:
		var reason line.Reason
		if p.negative, reason = t.checkCounter(l); reason != line.OK {
			e.reject(reason, b)
			return false
		}
	case line.Timer:
		if t.options.TimerSeconds {
			toSeconds(l)
		}
	}
	switch t.options.Origin {
	case OriginIP:
		l.Origin = t.address
	case OriginContainer:
		p.setContainer()
	}
	t.keepValues(l)
	p.text, p.hash = b, t.registry.hash(l)
	t.batched++
	return t.batched == len(t.batch)
}

// keepValues leaves the line's values in the buffer of the batch's values.
func (t *Table) keepValues(l *line.Line) {
	if n := len(t.values) + len(l.Values); n <= cap(t.values) {
		t.values = t.values[:n]
		return
	}
	t.values = make([]line.Value, 0, 2*(cap(t.values)+len(l.Values))) // those of earlier lines stay where they are
}

// aggregate counts the lines of the batch in their order.
func (t *Table) aggregate(at int64) {
	batch := t.batch[:t.batched]
	t.young.warm(batch)
	for i := range batch {
		t.add(&batch[i], at)
	}
	t.batched, t.values = 0, t.values[:0]
}

// add counts one line: as accepted under its kind, or as rejected under a reason.
func (t *Table) add(p *pending, at int64) {
	l, e := &p.line, t.active
	to, spelled := t.young.find(p.hash, l)
	if to == nil {
		var reason line.Reason
		if to, spelled, reason = t.resolve(p.hash, l, p.negative); reason != line.OK {
			e.reject(reason, p.text)
			return
		}
	}
	if p.negative && to.series.Metric.Monotonic {
		e.reject(line.NegativeCounter, p.text)
		return
	}
	e.Stats.Lines[l.Kind]++
	e.Stats.DuplicateTags += spelled.duplicates()
	e.Stats.CleanedLines += spelled.cleaned()
	if to.overflow {
		e.Stats.Overflowed += uint64(max(len(l.Values), 1))
	}
	if l.Timestamp != 0 && (l.Kind == line.Counter && t.options.TimedCounters || l.Kind == line.Gauge && t.options.TimedGauges) {
		e.touch(to, seen)
		t.addTimed(to.series, l)
		return
	}
	t.write(to, l, at)
}

// checkCounter makes sure that every value of the line can be added. It reports whether the line needs a counter that
// is not monotonic.
func (t *Table) checkCounter(l *line.Line) (negative bool, reason line.Reason) {
	for i := range l.Values {
		v := &l.Values[i]
		if t.options.Monotonic && v.Float < 0 {
			if len(t.options.NonMonotonic) == 0 {
				return true, line.NegativeCounter
			}
			negative = true
		}
		// What is not a whole number as it stands is divided as a float64; the
		// largest of those below 2^63 fits an int64.
		exact := v.Whole && l.Rate == 1
		if t.options.IntCounters && !exact && math.Abs(v.Float)/l.Rate >= 1<<63 {
			return false, line.OutOfRange
		}
	}
	return negative, line.OK
}

// toSeconds divides a timer's values, which are in milliseconds.
func toSeconds(l *line.Line) {
	for i := range l.Values {
		v := &l.Values[i]
		v.Float, v.Whole = v.Float/1000, false
	}
}

// write adds the line's values to the epoch in use.
func (t *Table) write(to *local, l *line.Line, at int64) {
	e := t.active
	e.touch(to, written)
	if to.share.add(e.half, l, at, t, to.overflow) {
		return
	}
	e.Stats.Overflowed += uint64(max(len(l.Values), 1))
	to = t.localOf(t.registry.overflowOf(to.series))
	e.touch(to, written)
	to.share.add(e.half, l, at, t, true)
}

// localOf returns the reader's only share of a series, or of its metric's overflow
// series where memory is refused.
func (t *Table) localOf(s *Series) *local {
	if to := s.locals[t.id]; to != nil {
		return to
	}
	if !s.Overflow && !t.registry.budget.Reserve(shareBytes(s.Metric.aggregator)) {
		return t.localOf(t.registry.overflowOf(s))
	}
	to := s.Metric.aggregator.local(t.id)
	to.series, to.overflow = s, s.Overflow
	s.locals[t.id] = to
	return to
}
