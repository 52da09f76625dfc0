package offenders

import (
	"sync/atomic"
	"time"
)

// Budget bounds memory; budget.Budget is one.
type Budget interface {
	Reserve(bytes int) bool
	Release(bytes int)
}

// Options of a Board.
type Options struct {
	Limits   int           // number of limits
	Count    int           // offenders of each kind that a report names; 0: none
	Keys     bool          // some limit has keys with several metrics
	Window   time.Duration // that the counts are of
	Examples bool          // keep examples of label values
	Budget   Budget
}

// limitPrecision: 2^12 registers, a standard error of 1.6 %.
const limitPrecision = 12

// Board counts what found no place. Safe for concurrent use, except Measure, which has one caller at a time.
type Board struct {
	count  int
	window time.Duration

	turn    atomic.Uint32 // of all spans and samples
	refused []span        // by limit
	metrics *ranking
	keys    *ranking  // nil where every key contains the metric
	turned  time.Time // when the half window began; of the caller of Measure
	asked   atomic.Int32
}

// New returns a board, or false where the budget has no room for it.
func New(now time.Time, o Options) (*Board, bool) {
	rankings := 1
	if o.Keys {
		rankings = 2
	}
	if !o.Budget.Reserve(o.Limits*spanBytes(limitPrecision) + rankings*rankingBytes) {
		return nil, false
	}
	b := &Board{count: o.Count, window: o.Window, turned: now}
	b.metrics = newRanking(b, &o)
	if o.Keys {
		b.keys = newRanking(b, &o)
	}
	for range o.Limits {
		b.refused = append(b.refused, newSpan(limitPrecision, &b.turn))
	}
	return b, true
}

// Offence is a series, or a label's value, that wanted a place and found none.
type Offence struct {
	Limit int
	// Key is the identity of the limit's key, of the label too where its values are counted; 0 where every key of the
	// limit contains the metric. Offender is that of the key and the metric.
	Key, Offender uint64
	// Series is the identity of what found no place, under that of the key: two keys share none. All its bits look random.
	Series uint64
	// Held and Max are the places of the key: those taken and all.
	Held, Max int
}

// Note counts an offence and returns the profiles of its metric and its key, or nil. Subject is called for a new one.
func (b *Board) Note(o Offence, subject func() Subject) Pair {
	b.refused[o.Limit].add(o.Series)
	if b.count == 0 {
		return Pair{}
	}
	var p Pair
	if b.keys != nil && o.Key != 0 {
		p.Key = b.keys.note(&o, o.Key, subject)
	}
	p.Metric = b.metrics.note(&o, o.Offender, subject)
	return p
}

// Pair is the profile of a metric and that of the key that it is under; each may be nil.
type Pair struct{ Metric, Key *Profile }

// Watches reports whether there is a profile.
func (b *Board) Watches() bool {
	return len(*b.metrics.profiles.Load()) > 0 || b.keys != nil && len(*b.keys.profiles.Load()) > 0
}

// Find returns the profiles of an offender. Key is 0 where every key of the limit contains the metric.
func (b *Board) Find(key, offender uint64) Pair {
	p := Pair{Metric: (*b.metrics.profiles.Load())[offender]}
	if b.keys != nil && key != 0 {
		p.Key = (*b.keys.profiles.Load())[key]
	}
	return p
}

// Subscribe lets the labels of metrics count the series that would be left without them, until the returned function is
// called.
func (b *Board) Subscribe() (end func()) {
	b.asked.Add(1)
	var ended atomic.Bool
	return func() {
		if !ended.Swap(true) {
			b.asked.Add(-1)
		}
	}
}

// Report is what the board knows at one time.
type Report struct {
	// Refused is, by limit, the estimated number of distinct series, or values, that found no place.
	Refused []int64
	// Top are the metrics with the most of them, most first, at most Options.Count. A metric with less than a tenth of
	// what its key wants is not among them.
	Top []Offender
	// Keys are the keys with several metrics that have the most, at most Options.Count.
	Keys []Offender
}

// Measure moves on to the half window of now, gives profiles to those with the most series, and reports. What came since
// the last call is in the report, however long ago that was.
func (b *Board) Measure(now time.Time) Report {
	half := b.window / 2
	turns := int(now.Sub(b.turned) / half)
	b.turned = b.turned.Add(time.Duration(turns) * half)
	if turns > 0 {
		b.rotate()
	}
	b.each(func(r *ranking) { r.invite(now) })
	r := b.report(now)
	if turns > 1 {
		b.rotate() // forgets what has been reported
	}
	return r
}

func (b *Board) each(do func(*ranking)) {
	do(b.metrics)
	if b.keys != nil {
		do(b.keys)
	}
}

// report is what is known of the half window that has ended and the one that goes on.
func (b *Board) report(now time.Time) Report {
	var r Report
	for i := range b.refused {
		r.Refused = append(r.Refused, b.refused[i].estimate())
	}
	wanted := make(map[uint64]int64)
	if b.keys != nil {
		r.Keys = b.keys.report(now, func(id uint64, o *Offender) bool {
			wanted[id] = o.Wanted()
			return true
		})
	}
	r.Top = b.metrics.report(now, func(_ uint64, o *Offender) bool {
		if o.key == 0 {
			return true
		}
		total, ok := wanted[o.key]
		if !ok {
			total = r.Refused[o.Limit]
		}
		return o.Refused*largeShare >= total
	})
	return r
}

// largeShare: a metric is named if it has a tenth of what its key wants, or more.
const largeShare = 10

// rotate begins a half window.
func (b *Board) rotate() {
	for i := range b.refused {
		b.refused[i].forget()
	}
	next := 1 - b.turn.Load()
	b.each(func(r *ranking) { r.rotate(next) })
	b.turn.Store(next)
}
