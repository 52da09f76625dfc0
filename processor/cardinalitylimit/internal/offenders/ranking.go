package offenders

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// spares is how many times more profiles there are than a report names.
	spares = 2
	// noticed is how many series in a sample give an offender a profile at once, if one with fewer has to go: 1.6 % of
	// all that found no place.
	noticed = 16
	// rankingBytes is what a ranking without profiles uses.
	rankingBytes = 2 * sampleBytes
)

// ranking is the offenders of one kind. Safe for concurrent use, except invite, report and rotate, which are the
// caller of Measure's.
type ranking struct {
	board    *Board
	count    int // that a report names
	examples bool
	budget   Budget
	samples  [2]*sample // by turn

	// profiles by offender; nil under an offender that gets one at its next offence. Copied to be changed.
	profiles atomic.Pointer[map[uint64]*Profile]
	mu       sync.Mutex // serialises changes of profiles
	now      time.Time  // of the last invite; guarded by mu
}

func newRanking(b *Board, o *Options) *ranking {
	r := &ranking{
		board: b, count: o.Count, examples: o.Examples, budget: o.Budget,
		samples: [2]*sample{newSample(), newSample()}, now: b.turned,
	}
	r.profiles.Store(&map[uint64]*Profile{})
	return r
}

// note counts an offence of an offender and returns its profile, or nil.
func (r *ranking) note(o *Offence, offender uint64, subject func() Subject) *Profile {
	inSample := r.samples[r.board.turn.Load()].add(o.Series, offender)
	profiles := *r.profiles.Load()
	p, invited := profiles[offender]
	if p == nil {
		if !invited && len(profiles) >= spares*r.count && inSample < noticed {
			return nil
		}
		if p = r.open(o, offender, subject); p == nil {
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

// open gives an offender a profile, if there is room or another one has far fewer series.
func (r *ranking) open(o *Offence, offender uint64, subject func() Subject) *Profile {
	r.mu.Lock()
	defer r.mu.Unlock()
	profiles := *r.profiles.Load()
	p, invited := profiles[offender]
	if p != nil {
		return p
	}
	profiles = maps.Clone(profiles)
	if !invited && len(profiles) >= spares*r.count {
		least, ok := r.least(profiles)
		if !ok {
			return nil
		}
		if gone := profiles[least]; gone != nil {
			gone.free()
		}
		delete(profiles, least)
	}
	bytes := profileBytes + spanBytes(seriesPrecision)
	if r.budget.Reserve(bytes) {
		s := subject()
		p = &Profile{
			ranking: r, limit: o.Limit, key: o.Key, subject: Subject{Metric: Clip(s.Metric), Key: Clip(s.Key)},
			series: newSpan(seriesPrecision, &r.board.turn), bytes: bytes, since: r.now,
		}
		if r == r.board.keys {
			p.subject.Metric = ""
		}
		p.labels.Store(&[]*label{})
		profiles[offender] = p
	}
	r.profiles.Store(&profiles)
	return p
}

// least returns who has the fewest series in the samples, if they are fewer than noticed.
func (r *ranking) least(profiles map[uint64]*Profile) (offender uint64, ok bool) {
	fewest := noticed
	for id := range profiles {
		n := 0
		for _, s := range r.samples {
			n = max(n, s.count(id))
		}
		if n < fewest || n == fewest && ok && id < offender {
			offender, fewest, ok = id, n, true
		}
	}
	return offender, ok
}

// invite keeps the profiles of offenders with the most series in the samples and makes room for such offenders
// without a profile. It frees what has been quiet for a window.
func (r *ranking) invite(now time.Time) {
	shares := make(map[uint64]float64)
	for _, s := range r.samples {
		s.shares(shares)
	}
	ranked := slices.SortedFunc(maps.Keys(shares), func(x, y uint64) int {
		return cmp.Or(cmp.Compare(shares[y], shares[x]), cmp.Compare(x, y))
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = now
	chosen := make(map[uint64]*Profile)
	for _, id := range ranked[:min(len(ranked), spares*r.count)] {
		chosen[id] = nil
	}
	for id, p := range *r.profiles.Load() {
		switch _, keep := chosen[id]; {
		case keep:
			chosen[id] = p
		case p != nil:
			p.free()
		}
	}
	r.profiles.Store(&chosen)
}

// report returns the offenders with the most series that are accepted, at most count.
func (r *ranking) report(now time.Time, accept func(id uint64, o *Offender) bool) (top []Offender) {
	whatIf := r.board.asked.Load() > 0
	for id, p := range *r.profiles.Load() {
		if p == nil {
			continue
		}
		if !whatIf {
			p.dropWhatIf()
		}
		if o := p.offender(now, r.board.window); o.Refused > 0 && accept(id, &o) {
			top = append(top, o)
		}
	}
	slices.SortFunc(top, func(x, y Offender) int {
		return cmp.Or(cmp.Compare(y.Refused, x.Refused), cmp.Compare(x.Limit, y.Limit),
			cmp.Compare(x.Metric, y.Metric), cmp.Compare(x.Key, y.Key))
	})
	return top[:min(len(top), r.count)]
}

// rotate begins a half window, whose sample is that of the turn next.
func (r *ranking) rotate(next uint32) {
	for _, p := range *r.profiles.Load() {
		if p != nil {
			p.forget()
		}
	}
	r.samples[next].reset()
}
