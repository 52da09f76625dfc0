package series

import (
	"bytes"
	"math"
	"math/rand/v2"
	"net/netip"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
)

// Table maps the lines of one reader to series and adds their values. Only that reader may call its methods. The epoch that Swap
// returns is for the flusher.
//
// Aliases are kept in two generations. A lookup that finds an alias in the older generation moves it to the younger one, and a
// rotation drops the older generation. So an alias that was not used for two rotations is dropped, without a scan. All tables
// together know at most MaxAliases. A line beyond that limit is resolved each time it comes.
type Table struct {
	registry *Registry
	options  *Options

	id         int // index of its parts in Series.parts
	young, old aliases
	refused    int // cost of the aliases refused since the last rotation
	patience   int // cost of refused aliases after which the table rotates
	swaps      uint64

	random *rand.Rand // may be nil; see Options.Random

	epochs [2]Epoch
	active *Epoch

	pending [maxPending]pendingLine
	parsed  int          // number of lines in pending
	values  []line.Value // of the lines in pending

	// The next five fields are buffers for a line that is resolved.
	tags   []rawTag
	name   []byte // as sent, without its tags
	key    []byte // identity of the line's series
	keys   []byte // cleaned tag keys
	entity []byte // pod UID in a tag

	from      netip.Addr // source of the datagram
	address   []byte     // bytes of from, the origin of its lines; nil if unknown
	originKey []byte     // identity of the line's origin
}

// NewTable returns the table of one reader. It must be called Options.Tables times.
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
	t.epochs = [2]Epoch{{registry: r, half: 0}, {registry: r, half: 1}}
	t.active = &t.epochs[0]
	return t
}

// Datagram counts the lines of a datagram. The time of receipt, at, is in nanoseconds of a clock that all tables share. The rest
// of a truncated datagram's last line is unknown, so that line is rejected. Only OriginIP and events need the sender's address.
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

// parse adds a line to the pending lines, unless it is rejected or belongs to no series. It reports whether the pending lines
// are full.
func (t *Table) parse(b []byte) (full bool) {
	p, e := &t.pending[t.parsed], t.active
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
	t.parsed++
	return t.parsed == len(t.pending)
}

// keepValues keeps the line's values in the buffer of the pending lines' values.
func (t *Table) keepValues(l *line.Line) {
	if n := len(t.values) + len(l.Values); n <= cap(t.values) {
		t.values = t.values[:n]
		return
	}
	t.values = make([]line.Value, 0, 2*(cap(t.values)+len(l.Values))) // values of earlier lines remain in the former buffer
}

// aggregate counts the pending lines in their order.
func (t *Table) aggregate(at int64) {
	lines := t.pending[:t.parsed]
	t.young.warm(lines)
	for i := range lines {
		t.add(&lines[i], at)
	}
	t.parsed, t.values = 0, t.values[:0]
}

// add counts one line, either as accepted by kind or as rejected by reason.
func (t *Table) add(p *pendingLine, at int64) {
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

// checkCounter checks that every value of the line can be added. It reports whether a value is negative, which only a counter
// that is not monotonic accepts.
func (t *Table) checkCounter(l *line.Line) (negative bool, reason line.Reason) {
	for i := range l.Values {
		v := &l.Values[i]
		if t.options.Monotonic && v.Float < 0 {
			if len(t.options.NonMonotonic) == 0 {
				return true, line.NegativeCounter
			}
			negative = true
		}
		// Any other value is divided by the rate as a float64. The largest float64 below 2^63 fits into an int64.
		exact := v.Whole && l.Rate == 1
		if t.options.IntCounters && !exact && math.Abs(v.Float)/l.Rate >= 1<<63 {
			return false, line.OutOfRange
		}
	}
	return negative, line.OK
}

// toSeconds converts a timer's values from milliseconds to seconds.
func toSeconds(l *line.Line) {
	for i := range l.Values {
		v := &l.Values[i]
		v.Float, v.Whole = v.Float/1000, false
	}
}

// write adds the line's values to the epoch in use.
func (t *Table) write(to *part, l *line.Line, at int64) {
	e := t.active
	e.touch(to, written)
	if to.accumulator.add(e.half, l, at, t, to.overflow) {
		return
	}
	e.Stats.Overflowed += uint64(max(len(l.Values), 1))
	to = t.partOf(t.registry.overflowOf(to.series))
	e.touch(to, written)
	to.accumulator.add(e.half, l, at, t, true)
}

// partOf returns the reader's part of a series. If the budget refuses memory for a new part, it returns the part of the
// metric's overflow series.
func (t *Table) partOf(s *Series) *part {
	if to := s.parts[t.id]; to != nil {
		return to
	}
	if !s.Overflow && !t.registry.budget.Reserve(partCharge(s.Metric.aggregator)) {
		return t.partOf(t.registry.overflowOf(s))
	}
	to := s.Metric.aggregator.newPart(t.id)
	to.series, to.overflow = s, s.Overflow
	s.parts[t.id] = to
	return to
}
