package series

import (
	"github.com/otelcol-custom/otelcol-custom/internal/budget"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/quantile"
)

const (
	// MaxSamples of a series and an interval are kept as they are, all readers
	// together.
	MaxSamples = 1024
	// sketchBuckets for each sign count them past that, in the same memory. A bucket
	// is narrower than 0.55 % while the greatest value is up to 2^15 times the least:
	// scale 7 takes 128 of them for a factor of 2, that is 1,921.
	sketchBuckets = 2048
)

// samples are the values of a series and an interval: as they are, with their
// weights, or past MaxSamples counted in a sketch. The zero value is empty.
type samples struct {
	blocks *block // the one being filled first
	n      int    // in the blocks
	sketch *histogram
	carry  // of the weights in the sketch
}

func (s *samples) empty() bool { return s.n == 0 && (s.sketch == nil || s.sketch.empty()) }

// block is a part of a series' samples.
type block struct {
	next    *block
	n       int
	samples [blockSamples]quantile.Sample
}

const (
	blockBytes   = 512
	blockSamples = (blockBytes - 16) / 16 // a block is a pointer, a count and pairs of float64
)

func (b *block) size() int { return blockBytes }

func (b *block) reset() { b.next, b.n = nil, 0 }

// each calls yield for every sample in the blocks.
func (s *samples) each(yield func(quantile.Sample) bool) {
	for b := s.blocks; b != nil; b = b.next {
		for _, sample := range b.samples[:b.n] {
			if !yield(sample) {
				return
			}
		}
	}
}

// keep adds values as they are: all, or none where memory is refused.
func (s *samples) keep(values []line.Value, weight float64, from *cache[*block], must bool) bool {
	need := len(values)
	if s.blocks != nil {
		need -= blockSamples - s.blocks.n
	}
	var fresh *block
	for ; need > 0; need -= blockSamples {
		b := from.take(must)
		if b == nil {
			putBlocks(from.pool, fresh)
			return false
		}
		b.next, fresh = fresh, b
	}
	for i := range values {
		if s.blocks == nil || s.blocks.n == blockSamples {
			next := fresh.next
			fresh.next, s.blocks = s.blocks, fresh
			fresh = next
		}
		b := s.blocks
		b.samples[b.n] = quantile.Sample{Value: values[i].Float, Weight: weight}
		b.n++
	}
	s.n += len(values)
	return true
}

// condense counts what is in the blocks in a sketch, from then on that of s, and
// gives the blocks back. It reports false where memory is refused.
func (s *samples) condense(sketch *histogram, blocks *pool[*block], b *budget.Budget, must bool) bool {
	for sample := range s.each {
		if sample.Value < 0 && !sketch.negative && !sketch.widen(b, must) {
			return false
		}
	}
	s.sketch = sketch
	for sample := range s.each {
		s.count(sample)
	}
	s.putBlocks(blocks)
	return true
}

// count adds a sample to the sketch.
func (s *samples) count(sample quantile.Sample) {
	s.sketch.Record(sample.Value, s.whole(sample.Value, sample.Weight))
}

func (s *samples) putBlocks(to *pool[*block]) {
	putBlocks(to, s.blocks)
	s.blocks, s.n = nil, 0
}

func putBlocks(to *pool[*block], blocks *block) {
	for blocks != nil {
		next := blocks.next
		to.put(blocks)
		blocks = next
	}
}

// append takes the blocks of o.
func (s *samples) append(o *samples) {
	s.n += o.n
	end := &o.blocks
	for *end != nil {
		end = &(*end).next
	}
	*end = s.blocks
	s.blocks = o.blocks
	o.blocks, o.n = nil, 0
}
