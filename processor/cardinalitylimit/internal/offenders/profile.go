package offenders

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

const (
	// seriesPrecision: 2^11 registers, a standard error of 2.3 %.
	seriesPrecision = 11
	// labelPrecision: 2^10 registers, a standard error of 3.3 %.
	labelPrecision = 10
	// maxLabels of an offender are told apart, the first that come. Semantic conventions have fewer on any metric.
	maxLabels = 16
	// maxText bounds every text that senders choose, in bytes.
	maxText = 128
	// maxExamples of a label's values are kept.
	maxExamples = 3
	// profileBytes and labelBytes are what each takes at most, texts included: metric, key and limit; name and examples.
	profileBytes = 512 + 2*maxText
	labelBytes   = 128 + (1+maxExamples)*maxText
)

// Subject says for a person what an offender is.
type Subject struct {
	Metric string // its name
	Key    string // the parts of the limit's key with their values
}

// Profile is what is known of one offender. Its methods are safe for concurrent use.
type Profile struct {
	board   *Board
	limit   int
	subject Subject
	series  span
	held    atomic.Int64 // places that its key had taken when it was last refused one
	max     atomic.Int64

	mu     sync.Mutex               // serialises what adds labels and examples
	labels atomic.Pointer[[]*label] // as they came; copied to be changed
	bytes  int                      // reserved
	gone   bool                     // from the board, but batches may still hold it
}

type label struct {
	hash   uint64
	name   string
	values span

	examples []string // guarded by Profile.mu
}

// Value counts a value of a label, and tells whether it is worth an example: only where the board keeps some. At is
// where the label stands among those of its point, which is where it is looked for first.
func (p *Profile) Value(at int, labelHash, valueHash uint64, name string) (example bool) {
	l := p.label(at, labelHash, name)
	if l == nil || !l.values.add(valueHash) || !p.board.examples {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(l.examples) < maxExamples
}

// Example keeps a value of a label.
func (p *Profile) Example(at int, labelHash uint64, name, value string) {
	l := p.label(at, labelHash, name)
	p.mu.Lock()
	defer p.mu.Unlock()
	value = Clip(value)
	if l != nil && len(l.examples) < maxExamples && !slices.Contains(l.examples, value) {
		l.examples = append(l.examples, value)
	}
}

// label returns the label, beginning it where there is room, or nil.
func (p *Profile) label(at int, hash uint64, name string) *label {
	labels := *p.labels.Load()
	if at < len(labels) && labels[at].hash == hash {
		return labels[at]
	}
	for _, l := range labels {
		if l.hash == hash {
			return l
		}
	}
	if len(labels) == maxLabels {
		return nil
	}
	return p.begin(hash, name)
}

func (p *Profile) begin(hash uint64, name string) *label {
	p.mu.Lock()
	defer p.mu.Unlock()
	labels := *p.labels.Load()
	for _, l := range labels { // another goroutine may have been faster
		if l.hash == hash {
			return l
		}
	}
	bytes := labelBytes + spanBytes(labelPrecision)
	if p.gone || len(labels) == maxLabels || !p.board.budget.Reserve(bytes) {
		return nil
	}
	p.bytes += bytes
	l := &label{hash: hash, name: Clip(name), values: newSpan(labelPrecision, &p.board.turn)}
	labels = append(slices.Clip(labels), l)
	p.labels.Store(&labels)
	return l
}

// forget clears what is older than the half window that ends.
func (p *Profile) forget() {
	p.series.forget()
	for _, l := range *p.labels.Load() {
		l.values.forget()
	}
}

// free gives the memory back to the budget.
func (p *Profile) free() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone = true
	p.board.budget.Release(p.bytes)
}

// offender returns what a report says of it.
func (p *Profile) offender() Offender {
	o := Offender{
		Limit: p.limit, Subject: p.subject, Refused: p.series.estimate(), Held: p.held.Load(), Max: p.max.Load(),
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range *p.labels.Load() {
		if n := l.values.estimate(); n > 0 {
			o.Labels = append(o.Labels, Label{Name: l.name, Values: n, Examples: slices.Clone(l.examples)})
		}
	}
	slices.SortStableFunc(o.Labels, func(a, b Label) int { return cmp.Compare(b.Values, a.Values) })
	return o
}

// Clip bounds a text that a sender chose and a person shall read, and takes it out of the memory of its batch.
func Clip(s string) string { return strings.Clone(strings.ToValidUTF8(s[:min(len(s), maxText)], "")) }
