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
	// profilesPerNamed is the number of profiles for each offender that a report may name.
	profilesPerNamed = 2
	// urgentSeries is the number of series in a sample with which an offender gets a profile at once, instead of an offender
	// with fewer: 1.6 % of all series without a place.
	urgentSeries = 16
	// rankingBytes is the size of a ranking without profiles.
	rankingBytes = 2 * sampleBytes
)

// ranking contains the offenders of one kind, either metrics or keys. It is safe for concurrent use, except chooseProfiles,
// largest and rotate, which only Measure calls.
type ranking struct {
	board    *Board
	count    int // maximum number of offenders in a report
	examples bool
	budget   Budget
	samples  [2]*sample // by Board.turn

	// profiles contains the profiles by offender. A nil profile means that the offender was chosen and gets its profile with
	// its next offence. The map never changes: a change stores a changed copy.
	profiles atomic.Pointer[map[uint64]*Profile]
	mu       sync.Mutex // serialises changes of profiles
	now      time.Time  // of the last chooseProfiles; guarded by mu
}

func newRanking(b *Board, o *Options) *ranking {
	r := &ranking{
		board: b, count: o.Count, examples: o.Examples, budget: o.Budget,
		samples: [2]*sample{newSample(), newSample()}, now: b.turned,
	}
	r.profiles.Store(&map[uint64]*Profile{})
	return r
}

// note counts an offence and returns the profile of the offender, or nil.
func (r *ranking) note(o *Offence, offender uint64, subject func() Subject) *Profile {
	inSample := r.samples[r.board.turn.Load()].add(o.Series, offender)
	profiles := *r.profiles.Load()
	p, chosen := profiles[offender]
	if p == nil {
		if !chosen && len(profiles) >= profilesPerNamed*r.count && inSample < urgentSeries {
			return nil
		}
		if p = r.addProfile(o, offender, subject); p == nil {
			return nil
		}
	}
	if used := int64(o.Used); p.used.Load() != used {
		p.used.Store(used)
	}
	if most := int64(o.Max); p.max.Load() != most {
		p.max.Store(most)
	}
	p.series.add(o.Series)
	return p
}

// addProfile gives an offender a profile. If there are enough profiles, it replaces the smallest offender, or returns nil if
// the smallest has urgentSeries in a sample.
func (r *ranking) addProfile(o *Offence, offender uint64, subject func() Subject) *Profile {
	r.mu.Lock()
	defer r.mu.Unlock()
	profiles := *r.profiles.Load()
	p, chosen := profiles[offender]
	if p != nil {
		return p
	}
	profiles = maps.Clone(profiles)
	if !chosen && len(profiles) >= profilesPerNamed*r.count {
		smallest, ok := r.smallest(profiles)
		if !ok {
			return nil
		}
		if replaced := profiles[smallest]; replaced != nil {
			replaced.free()
		}
		delete(profiles, smallest)
	}
	bytes := profileBytes + windowBytes(seriesPrecision)
	if r.budget.Reserve(bytes) {
		s := subject()
		p = &Profile{
			ranking: r, limit: o.Limit, key: o.Key, subject: Subject{Metric: Clip(s.Metric), Key: Clip(s.Key)},
			series: newWindowSketch(seriesPrecision, &r.board.turn), bytes: bytes, since: r.now,
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

// smallest returns the offender with the fewest series in a sample. It returns false if even that one has urgentSeries.
func (r *ranking) smallest(profiles map[uint64]*Profile) (offender uint64, ok bool) {
	fewest := urgentSeries
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

// chooseProfiles chooses the offenders with the most series by the samples. It keeps their profiles, frees all others, and
// marks chosen offenders without a profile. An offender without series for a window is not in the samples, so it loses its
// profile.
func (r *ranking) chooseProfiles(now time.Time) {
	totals := make(map[uint64]float64)
	for _, s := range r.samples {
		s.addEstimates(totals)
	}
	ranked := slices.SortedFunc(maps.Keys(totals), func(x, y uint64) int {
		return cmp.Or(cmp.Compare(totals[y], totals[x]), cmp.Compare(x, y))
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = now
	chosen := make(map[uint64]*Profile)
	for _, id := range ranked[:min(len(ranked), profilesPerNamed*r.count)] {
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

// largest returns the offenders with the most series among those that accept allows, at most count.
func (r *ranking) largest(now time.Time, accept func(id uint64, o *Offender) bool) (top []Offender) {
	whatIf := r.board.subscribers.Load() > 0
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

// rotate begins the half window with index next.
func (r *ranking) rotate(next uint32) {
	for _, p := range *r.profiles.Load() {
		if p != nil {
			p.clearNext()
		}
	}
	r.samples[next].reset()
}
