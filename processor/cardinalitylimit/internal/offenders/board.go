package offenders

import (
	"cmp"
	"maps"
	"slices"
	"sync"
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
	Count    int           // offenders that a report names; 0: none
	Window   time.Duration // that the counts are of
	Examples bool          // keep examples of label values
	Budget   Budget
}

// limitPrecision: 2^12 registers, a standard error of 1.6 %.
const limitPrecision = 12

// spares is how many times more profiles there are than a report names: those who may come to be named.
const spares = 2

// Board counts what found no place. Safe for concurrent use, but for Measure, which has one caller at a time.
type Board struct {
	count    int
	half     time.Duration
	examples bool
	budget   Budget

	turn    atomic.Uint32 // of all spans and samples
	refused []span        // by limit
	samples [2]*sample
	turned  time.Time // when the half window began; of the caller of Measure

	// profiles by offender; nil under an offender that shall have one at its next offence. Copied to be changed.
	profiles atomic.Pointer[map[uint64]*Profile]
	mu       sync.Mutex // serialises what changes them
}

// New returns a board, or false where the budget has no room for it.
func New(now time.Time, o Options) (*Board, bool) {
	if !o.Budget.Reserve(o.Limits*spanBytes(limitPrecision) + 2*sampleBytes) {
		return nil, false
	}
	b := &Board{
		count: o.Count, half: o.Window / 2, examples: o.Examples, budget: o.Budget,
		samples: [2]*sample{newSample(), newSample()}, turned: now,
	}
	for range o.Limits {
		b.refused = append(b.refused, newSpan(limitPrecision, &b.turn))
	}
	b.profiles.Store(&map[uint64]*Profile{})
	return b, true
}

// Offence is a series, or a label's value, that wanted a place and found none.
type Offence struct {
	Limit int
	// Offender is the identity of the limit's key and the metric, of the label too where its values are counted.
	Offender uint64
	// Series is the identity of what found no place, under the offender's: two offenders share none. All bits are
	// taken for random.
	Series uint64
	// Held and Max are the places of the key: those taken and all.
	Held, Max int
}

// Note counts an offence and returns the profile to tell the labels to, or nil. Subject is called where it is a new one.
func (b *Board) Note(o Offence, subject func() Subject) *Profile {
	b.refused[o.Limit].add(o.Series)
	if b.count == 0 {
		return nil
	}
	b.samples[b.turn.Load()].add(o.Series, o.Offender)
	profiles := *b.profiles.Load()
	p, invited := profiles[o.Offender]
	if p == nil {
		if !invited && len(profiles) >= spares*b.count {
			return nil
		}
		if p = b.open(o, subject); p == nil {
			return nil
		}
	}
	if held := int64(o.Held); p.held.Load() != held {
		p.held.Store(held)
	}
	if most := int64(o.Max); p.max.Load() != most {
		p.max.Store(most)
	}
	p.series.add(o.Series)
	return p
}

// open gives an offender a profile if there is still room.
func (b *Board) open(o Offence, subject func() Subject) *Profile {
	b.mu.Lock()
	defer b.mu.Unlock()
	profiles := *b.profiles.Load()
	p, invited := profiles[o.Offender]
	if p != nil {
		return p
	}
	bytes := profileBytes + spanBytes(seriesPrecision)
	if !invited && len(profiles) >= spares*b.count || !b.budget.Reserve(bytes) {
		return nil
	}
	s := subject()
	p = &Profile{
		board: b, limit: o.Limit, subject: Subject{Metric: Clip(s.Metric), Key: Clip(s.Key)},
		series: newSpan(seriesPrecision, &b.turn), bytes: bytes,
	}
	p.labels.Store(&[]*label{})
	profiles = maps.Clone(profiles)
	profiles[o.Offender] = p
	b.profiles.Store(&profiles)
	return p
}

// Offender is one entry of a report.
type Offender struct {
	Limit int
	Subject
	Refused int64 // estimate of the distinct series, or values, that found no place
	Held    int64 // places of the key that were taken at its last offence
	Max     int64 // places of the key
	Labels  []Label
}

// Wanted is how many places it would take.
func (o *Offender) Wanted() int64 { return o.Held + o.Refused }

// Label is a label of an offender with an estimate of its distinct values among the series that found no place.
type Label struct {
	Name     string
	Values   int64
	Examples []string
}

// Report is what the board knows at one time.
type Report struct {
	// Refused is, by limit, the estimated number of distinct series, or values, that found no place.
	Refused []int64
	// Top are the offenders with the most of them, most first, at most Options.Count.
	Top []Offender
}

// Measure moves on to the half window of now, gives profiles to those who deserve them, and reports. What came since it
// was called last is in the report, however long that is ago.
func (b *Board) Measure(now time.Time) Report {
	turns := int(now.Sub(b.turned) / b.half)
	b.turned = b.turned.Add(time.Duration(turns) * b.half)
	if turns > 0 {
		b.rotate()
	}
	b.invite()
	r := b.report()
	if turns > 1 {
		b.rotate() // forgets what has been reported
	}
	return r
}

// report is what is known of the half window that has ended and the one that goes on.
func (b *Board) report() Report {
	var r Report
	for i := range b.refused {
		r.Refused = append(r.Refused, b.refused[i].estimate())
	}
	for _, p := range *b.profiles.Load() {
		if p == nil {
			continue
		}
		if o := p.offender(); o.Refused > 0 {
			r.Top = append(r.Top, o)
		}
	}
	slices.SortFunc(r.Top, func(x, y Offender) int {
		return cmp.Or(cmp.Compare(y.Refused, x.Refused), cmp.Compare(x.Limit, y.Limit),
			cmp.Compare(x.Metric, y.Metric), cmp.Compare(x.Key, y.Key))
	})
	r.Top = r.Top[:min(len(r.Top), b.count)]
	return r
}

// rotate begins a half window.
func (b *Board) rotate() {
	for i := range b.refused {
		b.refused[i].forget()
	}
	for _, p := range *b.profiles.Load() {
		if p != nil {
			p.forget()
		}
	}
	next := 1 - b.turn.Load()
	b.samples[next].reset()
	b.turn.Store(next)
}

// invite keeps the profiles of those with the most series in the samples and makes room for those of them that have
// none. It frees what has been quiet for a window.
func (b *Board) invite() {
	shares := make(map[uint64]float64)
	for _, s := range b.samples {
		s.shares(shares)
	}
	ranked := slices.SortedFunc(maps.Keys(shares), func(x, y uint64) int {
		return cmp.Or(cmp.Compare(shares[y], shares[x]), cmp.Compare(x, y))
	})
	b.mu.Lock()
	defer b.mu.Unlock()
	chosen := make(map[uint64]*Profile)
	for _, id := range ranked[:min(len(ranked), spares*b.count)] {
		chosen[id] = nil
	}
	for id, p := range *b.profiles.Load() {
		switch _, keep := chosen[id]; {
		case keep:
			chosen[id] = p
		case p != nil:
			p.free()
		}
	}
	b.profiles.Store(&chosen)
}
