package offenders

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"
)

const (
	// seriesPrecision: 2^11 registers, a standard error of 2.3 %.
	seriesPrecision = 11
	// maxLabels of an offender are distinguished, the first that come. Labels with one value count.
	maxLabels = 32
	// maxVarying of them have sketches: those with more than one value.
	maxVarying = 16
	// maxText bounds every text that senders choose, in bytes.
	maxText = 128
	// profileBytes is what a profile uses at most beside its labels and its span: metric, key and limit.
	profileBytes = 512 + 2*maxText
)

// Subject says for a person what an offender is.
type Subject struct {
	Metric string // its name; empty for a key
	Key    string // the parts of the limit's key with their values
}

// Profile is what is known of one offender. Its methods are safe for concurrent use.
type Profile struct {
	ranking *ranking
	limit   int
	key     uint64 // Offence.Key
	subject Subject
	since   time.Time // of the measurement before it was made
	series  span
	held    atomic.Int64 // places in use in its key at its last offence
	max     atomic.Int64

	mu      sync.Mutex               // guards what follows and serialises changes of labels
	labels  atomic.Pointer[[]*label] // as they came; copied to be changed
	varying int                      // labels with sketches
	bytes   int                      // reserved
	gone    bool                     // from the ranking, but batches may still hold it
}

// WhatIf reports whether the profile counts the series that would be left without a label.
func (p *Profile) WhatIf() bool {
	return p.ranking.board.asked.Load() > 0 && p.ranking == p.ranking.board.metrics
}

// Value is a label of a series that wants a place.
type Value struct {
	// At is where the label stands among those of its point, which is where it is looked for first. Add sets it to the
	// label's position in the profile, or to -1 where the profile does not have the label.
	At          int
	Label, Hash uint64 // hashes of its name and of its value
	Name        string
	// Without is the identity that the series would have without the label; 0 where WhatIf reports false.
	Without uint64
}

// Add counts a value of a label. It reports whether the board wants the value as an example.
func (p *Profile) Add(v *Value) (example bool) {
	l, isNew := p.label(v)
	if l == nil {
		v.At = -1
		return false
	}
	s := l.sketches.Load()
	if s == nil {
		if l.only.Load() == v.Hash {
			return isNew && p.ranking.examples
		}
		if s = p.widen(l); s == nil {
			return false
		}
	}
	if v.Without != 0 {
		p.countWithout(s, v.Without)
	}
	if !s.values.add(v.Hash) || !p.ranking.examples {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(l.examples) < maxExamples
}

// AddLacking counts a series for the labels that it does not have: without such a label it stays the same series. Has
// has a bit for the position of each label that the series has, see Value.At.
func (p *Profile) AddLacking(has uint32, series uint64) {
	for i, l := range *p.labels.Load() {
		if has>>i&1 != 0 {
			continue
		}
		if s := l.sketches.Load(); s != nil {
			p.countWithout(s, series)
		}
	}
}

// Example keeps a value of a label.
func (p *Profile) Example(v *Value, text string) {
	l, _ := p.label(v)
	if l == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	text = Clip(text)
	if len(l.examples) < maxExamples && !slices.Contains(l.examples, text) {
		l.examples = append(l.examples, text)
	}
}

// label returns the label, beginning it where there is room, or nil, and sets where it is.
func (p *Profile) label(v *Value) (l *label, isNew bool) {
	labels := *p.labels.Load()
	if v.At >= 0 && v.At < len(labels) && labels[v.At].hash == v.Label {
		return labels[v.At], false
	}
	if at := find(labels, v.Label); at >= 0 {
		v.At = at
		return labels[at], false
	}
	if len(labels) == maxLabels {
		return nil, false
	}
	return p.begin(v)
}

func find(labels []*label, hash uint64) (at int) {
	return slices.IndexFunc(labels, func(l *label) bool { return l.hash == hash })
}

func (p *Profile) begin(v *Value) (l *label, isNew bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	labels := *p.labels.Load()
	if at := find(labels, v.Label); at >= 0 { // another goroutine was faster
		v.At = at
		return labels[at], false
	}
	if p.gone || len(labels) == maxLabels || !p.reserve(labelBytes) {
		return nil, false
	}
	l = &label{hash: v.Label, name: Clip(v.Name)}
	l.only.Store(v.Hash)
	v.At = len(labels)
	labels = append(slices.Clip(labels), l)
	p.labels.Store(&labels)
	return l, true
}

// widen gives a label sketches, as it has a second value. It returns nil without room.
func (p *Profile) widen(l *label) *sketches {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := l.sketches.Load(); s != nil {
		return s
	}
	if p.gone || p.varying == maxVarying || !p.reserve(spanBytes(labelPrecision)) {
		return nil
	}
	p.varying++
	s := &sketches{values: newSpan(labelPrecision, &p.ranking.board.turn)}
	s.values.add(l.only.Load())
	l.sketches.Store(s)
	return s
}

// countWithout counts a series without the label that has s.
func (p *Profile) countWithout(s *sketches, series uint64) {
	without := s.without.Load()
	if without == nil {
		if without = p.beginWithout(s); without == nil {
			return
		}
	}
	without.add(series)
}

func (p *Profile) beginWithout(s *sketches) *span {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w := s.without.Load(); w != nil {
		return w
	}
	if p.gone || !p.reserve(spanBytes(whatIfPrecision)) {
		return nil
	}
	w := newSpan(whatIfPrecision, &p.ranking.board.turn)
	s.without.Store(&w)
	return &w
}

// dropWhatIf frees what nobody asks for any more.
func (p *Profile) dropWhatIf() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range *p.labels.Load() {
		if s := l.sketches.Load(); s != nil && s.without.Swap(nil) != nil && !p.gone {
			p.bytes -= spanBytes(whatIfPrecision)
			p.ranking.budget.Release(spanBytes(whatIfPrecision))
		}
	}
}

// reserve adds to what the profile uses. The lock is held.
func (p *Profile) reserve(bytes int) bool {
	if !p.ranking.budget.Reserve(bytes) {
		return false
	}
	p.bytes += bytes
	return true
}

// forget clears what is older than the half window that ends.
func (p *Profile) forget() {
	p.series.forget()
	for _, l := range *p.labels.Load() {
		l.forget()
	}
}

// free gives the memory back to the budget.
func (p *Profile) free() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone = true
	p.ranking.budget.Release(p.bytes)
}

// Offender is one entry of a report.
type Offender struct {
	Limit int
	Subject
	Refused int64 // estimate of the distinct series, or values, that found no place
	Held    int64 // places of the key in use at its last offence
	Max     int64 // places of the key
	Labels  []Label
	// Partial: labels were not counted for a whole window yet.
	Partial bool

	key uint64 // Offence.Key
}

// Wanted is how many places it would take.
func (o *Offender) Wanted() int64 { return o.Held + o.Refused }

// offender returns what a report says of it.
func (p *Profile) offender(now time.Time, window time.Duration) Offender {
	o := Offender{
		Limit: p.limit, Subject: p.subject, Refused: p.series.estimate(), Held: p.held.Load(), Max: p.max.Load(),
		Partial: now.Sub(p.since) < window, key: p.key,
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range *p.labels.Load() {
		if r := l.report(); r.Values > 0 {
			o.Labels = append(o.Labels, r)
		}
	}
	slices.SortStableFunc(o.Labels, func(a, b Label) int { return cmp.Compare(b.Values, a.Values) })
	return o
}

// Clip bounds a text that a sender chose and a person shall read, and takes it out of the memory of its batch.
func Clip(s string) string { return strings.Clone(strings.ToValidUTF8(s[:min(len(s), maxText)], "")) }

// IsClipped reports whether a text may be the beginning of a longer one.
func IsClipped(s string) bool { return len(s) > maxText-utf8.UTFMax }
