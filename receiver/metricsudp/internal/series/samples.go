package series

import (
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/quantile"
)

const (
	// maxSamples is the number of values per series and interval that are kept unchanged, of all readers together.
	maxSamples = 1024
	// sketchBuckets is the number of buckets per sign that count the values beyond maxSamples, in the same memory. A bucket
	// is narrower than 0.55 % while the greatest value is at most 2^15 times the least: at scale 7 a factor of 2 needs 128
	// buckets, so 2^15 needs 1,921.
	sketchBuckets = 2048
)

// samples are the values of a series in an interval. Up to maxSamples they are kept unchanged in blocks, with their weights.
// With more values all of them are counted in a sketch. The zero value is empty.
type samples struct {
	blocks *block     // list, the block that is being filled first
	n      int        // samples in the blocks
	sketch *histogram // nil up to maxSamples
	carry             // fraction of the weights in the sketch
}

func (s *samples) empty() bool { return s.n == 0 && (s.sketch == nil || s.sketch.empty()) }

// block is up to blockSamples samples of a series.
type block struct {
	next    *block
	n       int
	samples [blockSamples]quantile.Sample
}

const (
	blockBytes   = 512
	blockSamples = (blockBytes - 16) / 16 // a block has a pointer, a count and pairs of float64
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

// keep adds values unchanged. It adds none and reports false if the account does not pay for their blocks.
func (s *samples) keep(values []line.Value, weight float64, from *cache[*block], payer account) bool {
	need := len(values)
	if s.blocks != nil {
		need -= blockSamples - s.blocks.n
	}
	var fresh *block
	for ; need > 0; need -= blockSamples {
		b := from.get(payer)
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

// condense makes sketch the sketch of s, counts the samples of the blocks in it and returns the blocks to their pool. It reports
// false if the account does not pay for negative values.
func (s *samples) condense(sketch *histogram, blocks *pool[*block], payer account) bool {
	for sample := range s.each {
		if sample.Value < 0 && !sketch.negative && !sketch.widen(payer) {
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

// append moves the blocks of o to s.
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
