package offenders

import (
	"sync/atomic"
	"time"
)

// Budget bounds memory, as budget.Budget does.
type Budget interface {
	Reserve(bytes int) bool
	Release(bytes int)
}

// Options of a Board.
type Options struct {
	Limits   int           // number of limits
	Count    int           // maximum number of metrics, and of keys, in a report; 0: none
	Keys     bool          // a limit has keys that contain several metrics
	Window   time.Duration // over which the counts are
	Examples bool          // keep examples of label values
	Budget   Budget
}

// limitPrecision gives a sketch 2^12 registers, which is a standard error of 1.6 %.
const limitPrecision = 12

// Board counts the series that found no place. It is safe for concurrent use, except Measure, which must have one caller at
// a time.
type Board struct {
	count  int
	window time.Duration

	turn        atomic.Uint32  // index of the half window that counts now, in all sketches and samples
	refused     []windowSketch // by limit
	metrics     *ranking
	keys        *ranking  // nil if every key contains the metric
	turned      time.Time // begin of the present half window; used by Measure only
	subscribers atomic.Int32
}

// New returns a board. It returns false if the budget has no memory for it.
func New(now time.Time, o Options) (*Board, bool) {
	rankings := 1
	if o.Keys {
		rankings = 2
	}
	if !o.Budget.Reserve(o.Limits*windowBytes(limitPrecision) + rankings*rankingBytes) {
		return nil, false
	}
	b := &Board{count: o.Count, window: o.Window, turned: now}
	b.metrics = newRanking(b, &o)
	if o.Keys {
		b.keys = newRanking(b, &o)
	}
	for range o.Limits {
		b.refused = append(b.refused, newWindowSketch(limitPrecision, &b.turn))
	}
	return b, true
}

// Offence is a series, or the value of a label, that wanted a place and found none.
type Offence struct {
	Limit int // index
	// Key is the identity of the limit's key. If the limit counts values, it includes the label. It is 0 if every key of the
	// limit contains the metric.
	Key uint64
	// Offender is the identity of the key and the metric.
	Offender uint64
	// Series is the identity of the series or value, combined with that of the key. All its bits must look random.
	Series uint64
	// Used is the number of used places of the key, and Max the number of all its places.
	Used, Max int
}

// Note counts an offence and returns the profiles of its metric and its key. Subject is called for a new profile.
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

// Pair is the profile of a metric and the profile of its key. Each may be nil.
type Pair struct{ Metric, Key *Profile }

// HasProfiles reports whether any profile exists.
func (b *Board) HasProfiles() bool {
	return len(*b.metrics.profiles.Load()) > 0 || b.keys != nil && len(*b.keys.profiles.Load()) > 0
}

// Find returns the profiles of an offender. Key is 0 if every key of the limit contains the metric.
func (b *Board) Find(key, offender uint64) Pair {
	p := Pair{Metric: (*b.metrics.profiles.Load())[offender]}
	if b.keys != nil && key != 0 {
		p.Key = (*b.keys.profiles.Load())[key]
	}
	return p
}

// Subscribe makes the labels of metrics count the series that would be left without each of them. The counting ends when the
// functions of all subscribers have been called.
func (b *Board) Subscribe() (end func()) {
	b.subscribers.Add(1)
	var ended atomic.Bool
	return func() {
		if !ended.Swap(true) {
			b.subscribers.Add(-1)
		}
	}
}

// Report contains the counts of a board at one time.
type Report struct {
	// Refused is the estimated number of distinct series, or values, that found no place, by limit.
	Refused []int64
	// Top contains the metrics with the most such series, the largest first, at most Options.Count. A metric that wants less
	// than a tenth of the places that its key wants is not included.
	Top []Offender
	// Keys contains the keys of several metrics with the most such series, the largest first, at most Options.Count.
	Keys []Offender
}

// Measure moves on to the half window of now, gives profiles to the offenders with the most series, and returns a report. The
// report includes every offence since the last call, however long ago that was.
func (b *Board) Measure(now time.Time) Report {
	half := b.window / 2
	turns := int(now.Sub(b.turned) / half)
	b.turned = b.turned.Add(time.Duration(turns) * half)
	if turns > 0 {
		b.rotate()
	}
	b.each(func(r *ranking) { r.chooseProfiles(now) })
	r := b.report(now)
	if turns > 1 {
		b.rotate() // these offences are older than half a window, and reported now
	}
	return r
}

func (b *Board) each(do func(*ranking)) {
	do(b.metrics)
	if b.keys != nil {
		do(b.keys)
	}
}

// report returns the counts of the half window that has ended and of the present one.
func (b *Board) report(now time.Time) Report {
	var r Report
	for i := range b.refused {
		r.Refused = append(r.Refused, b.refused[i].estimate())
	}
	wanted := make(map[uint64]int64)
	if b.keys != nil {
		r.Keys = b.keys.largest(now, func(id uint64, o *Offender) bool {
			wanted[id] = o.Wanted()
			return true
		})
	}
	r.Top = b.metrics.largest(now, func(_ uint64, o *Offender) bool {
		if o.key == 0 {
			return true
		}
		total, ok := wanted[o.key]
		if !ok {
			total = r.Refused[o.Limit]
		}
		return o.Refused*minShareOfKey >= total
	})
	return r
}

// minShareOfKey is the divisor of the smallest share with which a metric is named: a tenth of the series that its key wants.
const minShareOfKey = 10

// rotate begins a half window.
func (b *Board) rotate() {
	for i := range b.refused {
		b.refused[i].clearNext()
	}
	next := 1 - b.turn.Load()
	b.each(func(r *ranking) { r.rotate(next) })
	b.turn.Store(next)
}
