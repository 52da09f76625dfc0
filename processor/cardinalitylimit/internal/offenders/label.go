package offenders

import (
	"slices"
	"sync/atomic"
)

const (
	// labelPrecision gives a sketch 2^10 registers, which is a standard error of 3.3 %.
	labelPrecision = 10
	// whatIfPrecision is the same for the series without a label.
	whatIfPrecision = 10
	// maxExamples is the maximum number of stored examples per label.
	maxExamples = 3
	// labelBytes is the maximum size of a label without its sketches: name and examples.
	labelBytes = 128 + (1+maxExamples)*maxText
)

// label is a label of an offender.
type label struct {
	hash       uint64 // of the name
	name       string
	firstValue atomic.Uint64 // hash of the value that came first
	// sketches is nil until a second value comes. Most labels of resources have one value.
	sketches atomic.Pointer[sketches]

	examples []string // guarded by Profile.mu
}

// sketches count the values of a label, and the series that would be left without the label.
type sketches struct {
	values  windowSketch
	without atomic.Pointer[windowSketch] // nil without a subscriber
}

func (l *label) clearNext() {
	s := l.sketches.Load()
	if s == nil {
		return
	}
	s.values.clearNext()
	if w := s.without.Load(); w != nil {
		w.clearNext()
	}
}

// Label is a label of an offender.
type Label struct {
	Name     string
	Values   int64 // estimated number of distinct values among the series that want a place
	Examples []string
	// Without is the estimated number of series that would be left without the label. It is 0 without a subscriber, and for a
	// label with one value.
	Without int64
}

// estimate returns the counts of the label. The caller holds Profile.mu.
func (l *label) estimate() Label {
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
