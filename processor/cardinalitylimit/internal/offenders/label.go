package offenders

import (
	"slices"
	"sync/atomic"
)

const (
	// labelPrecision: 2^10 registers, a standard error of 3.3 %.
	labelPrecision = 10
	// whatIfPrecision: the same.
	whatIfPrecision = 10
	// maxExamples of a label's values are kept.
	maxExamples = 3
	// labelBytes is what a label uses at most beside its sketches: name and examples.
	labelBytes = 128 + (1+maxExamples)*maxText
)

// label is a label of an offender.
type label struct {
	hash uint64
	name string
	only atomic.Uint64 // the value that came first
	// sketches is nil until a second value comes. Most labels of resources have one value.
	sketches atomic.Pointer[sketches]

	examples []string // guarded by Profile.mu
}

// sketches count what a label has and what would be left without it.
type sketches struct {
	values  span
	without atomic.Pointer[span] // nil while nobody asks
}

func (l *label) forget() {
	s := l.sketches.Load()
	if s == nil {
		return
	}
	s.values.forget()
	if w := s.without.Load(); w != nil {
		w.forget()
	}
}

// Label is a label of an offender with an estimate of its distinct values among the series that want a place.
type Label struct {
	Name     string
	Values   int64
	Examples []string
	// Without is the estimated number of series that would be left without the label; 0 while nobody asks, or if the
	// label has one value.
	Without int64
}

// report returns what is known of the label. The caller holds Profile.mu.
func (l *label) report() Label {
	r := Label{Name: l.name, Values: 1, Examples: slices.Clone(l.examples)}
	s := l.sketches.Load()
	if s == nil {
		return r
	}
	r.Values = s.values.estimate()
	if w := s.without.Load(); w != nil {
		r.Without = w.estimate()
	}
	return r
}
