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
	// seriesPrecision gives a sketch 2^11 registers, which is a standard error of 2.3 %.
	seriesPrecision = 11
	// maxLabels is the maximum number of labels per offender, including labels with one value. The first ones count.
	maxLabels = 32
	// maxVarying is the maximum number of labels with sketches. These are labels with more than one value.
	maxVarying = 16
	// maxText bounds every text that senders choose, in bytes.
	maxText = 128
	// profileBytes is the maximum size of a profile without its labels and its sketch: metric, key and limit.
	profileBytes = 512 + 2*maxText
)

// Subject describes an offender for a person.
type Subject struct {
	Metric string // name of the metric; empty for a key
	Key    string // the parts of the limit's key with their values
}

// Profile contains the counts of one offender. Its methods are safe for concurrent use.
type Profile struct {
	ranking *ranking
	limit   int
	key     uint64 // Offence.Key
	subject Subject
	since   time.Time // time of the last measurement before the profile was made
	series  windowSketch
	used    atomic.Int64 // used places of the key at the last offence
	max     atomic.Int64 // places of the key

	mu      sync.Mutex               // guards everything below and serialises changes of labels
	labels  atomic.Pointer[[]*label] // in the order of their arrival; a change stores a changed copy
	varying int                      // labels with sketches
	bytes   int                      // reserved
	freed   bool                     // the ranking has freed the profile; a batch may still use it
}

// WhatIf reports whether the profile counts the series that would be left without a label.
func (p *Profile) WhatIf() bool {
	return p.ranking.board.subscribers.Load() > 0 && p.ranking == p.ranking.board.metrics
}

// Value is the value of a label of a series that wants a place.
type Value struct {
	// At is the position of the label among those of its point. Add looks at this position of the profile first, and then
	// sets At to the position of the label in the profile, or to -1 if the profile lacks the label.
	At          int
	Label, Hash uint64 // hashes of the label's name and of the value
	Name        string // of the label
	// Without is the identity that the series would have without the label. It is 0 if WhatIf returns false.
	Without uint64
}

// Add counts a value of a label. It reports whether the caller is to call Example with the value.
func (p *Profile) Add(v *Value) (example bool) {
	l, isNew := p.findOrAdd(v)
	if l == nil {
		v.At = -1
		return false
	}
	s := l.sketches.Load()
	if s == nil {
		if l.firstValue.Load() == v.Hash {
			return isNew && p.ranking.examples
		}
		if s = p.addSketches(l); s == nil {
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

// AddLacking counts a series for the labels that it lacks. Without such a label it is the same series. Has is a bit set of
// the positions of its labels, see Value.At.
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

// Example stores a value of a label as an example.
func (p *Profile) Example(v *Value, text string) {
	l, _ := p.findOrAdd(v)
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

// findOrAdd returns the label of v and sets v.At. It adds a new label, or returns nil if the profile has no room for it.
func (p *Profile) findOrAdd(v *Value) (l *label, isNew bool) {
	labels := *p.labels.Load()
	if v.At >= 0 && v.At < len(labels) && labels[v.At].hash == v.Label {
		return labels[v.At], false
	}
	if at := indexOf(labels, v.Label); at >= 0 {
		v.At = at
		return labels[at], false
	}
	if len(labels) == maxLabels {
		return nil, false
	}
	return p.addLabel(v)
}

func indexOf(labels []*label, hash uint64) (at int) {
	return slices.IndexFunc(labels, func(l *label) bool { return l.hash == hash })
}

func (p *Profile) addLabel(v *Value) (l *label, isNew bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	labels := *p.labels.Load()
	if at := indexOf(labels, v.Label); at >= 0 { // another goroutine was faster
		v.At = at
		return labels[at], false
	}
	if p.freed || len(labels) == maxLabels || !p.reserve(labelBytes) {
		return nil, false
	}
	l = &label{hash: v.Label, name: Clip(v.Name)}
	l.firstValue.Store(v.Hash)
	v.At = len(labels)
	labels = append(slices.Clip(labels), l)
	p.labels.Store(&labels)
	return l, true
}

// addSketches gives a label sketches when its second value comes. It returns nil if the profile has no room for them.
func (p *Profile) addSketches(l *label) *sketches {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := l.sketches.Load(); s != nil {
		return s
	}
	if p.freed || p.varying == maxVarying || !p.reserve(windowBytes(labelPrecision)) {
		return nil
	}
	p.varying++
	s := &sketches{values: newWindowSketch(labelPrecision, &p.ranking.board.turn)}
	s.values.add(l.firstValue.Load())
	l.sketches.Store(s)
	return s
}

// countWithout counts a series that would be left without the label that s belongs to.
func (p *Profile) countWithout(s *sketches, series uint64) {
	without := s.without.Load()
	if without == nil {
		if without = p.addWithout(s); without == nil {
			return
		}
	}
	without.add(series)
}

func (p *Profile) addWithout(s *sketches) *windowSketch {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w := s.without.Load(); w != nil {
		return w
	}
	if p.freed || !p.reserve(windowBytes(whatIfPrecision)) {
		return nil
	}
	w := newWindowSketch(whatIfPrecision, &p.ranking.board.turn)
	s.without.Store(&w)
	return &w
}

// dropWhatIf frees the sketches of series without a label, after the last subscriber has ended.
func (p *Profile) dropWhatIf() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range *p.labels.Load() {
		if s := l.sketches.Load(); s != nil && s.without.Swap(nil) != nil && !p.freed {
			p.bytes -= windowBytes(whatIfPrecision)
			p.ranking.budget.Release(windowBytes(whatIfPrecision))
		}
	}
}

// reserve reserves memory for the profile. The caller holds the lock.
func (p *Profile) reserve(bytes int) bool {
	if !p.ranking.budget.Reserve(bytes) {
		return false
	}
	p.bytes += bytes
	return true
}

// clearNext clears the sketches of the next half window.
func (p *Profile) clearNext() {
	p.series.clearNext()
	for _, l := range *p.labels.Load() {
		l.clearNext()
	}
}

// free returns the memory to the budget.
func (p *Profile) free() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.freed = true
	p.ranking.budget.Release(p.bytes)
}

// Offender is an offender in a report.
type Offender struct {
	Limit int // index
	Subject
	Refused int64 // estimated number of distinct series, or values, that found no place
	Used    int64 // used places of the key at the last offence
	Max     int64 // places of the key
	Labels  []Label
	// Partial is true until the labels have been counted for a whole window.
	Partial bool

	key uint64 // Offence.Key
}

// Wanted is the number of places with which no series would be refused.
func (o *Offender) Wanted() int64 { return o.Used + o.Refused }

// offender returns the counts of the profile for a report.
func (p *Profile) offender(now time.Time, window time.Duration) Offender {
	o := Offender{
		Limit: p.limit, Subject: p.subject, Refused: p.series.estimate(), Used: p.used.Load(), Max: p.max.Load(),
		Partial: now.Sub(p.since) < window, key: p.key,
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range *p.labels.Load() {
		if r := l.estimate(); r.Values > 0 {
			o.Labels = append(o.Labels, r)
		}
	}
	slices.SortStableFunc(o.Labels, func(a, b Label) int { return cmp.Compare(b.Values, a.Values) })
	return o
}

// Clip bounds a text that a sender chose and a person reads. The result does not share memory with the batch of s.
func Clip(s string) string { return strings.Clone(strings.ToValidUTF8(s[:min(len(s), maxText)], "")) }

// IsClipped reports whether Clip may have shortened a text.
func IsClipped(s string) bool { return len(s) > maxText-utf8.UTFMax }
