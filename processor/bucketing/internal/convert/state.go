package convert

import (
	"slices"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
	"github.com/otelcol-custom/otelcol-custom/internal/histpoint"
	"github.com/otelcol-custom/otelcol-custom/processor/bucketing/internal/history"
)

// Streams keeps what stateful conversion knows about cumulative streams. Safe for concurrent use.
type Streams struct {
	table *history.Table[*stream]
}

// wordsEach is how many words a stream may refer to on average before there is room for fewer
// streams: 160 source buckets, 32 target buckets, and twice that where their slices have grown.
const wordsEach = 384

// NewStreams returns room for n streams: those seen last. A stream takes
// about 450 bytes and 8 for each bound and count of its source and each count of its target; at
// wordsEach of them that is 3.5 KB. Its plan is shared by the streams of its layout.
func NewStreams(n int) *Streams {
	return &Streams{history.New[*stream](n, wordsEach)}
}

// Len returns the number of streams kept.
func (s *Streams) Len() int { return s.table.Len() }

// stream is a cumulative stream: its source as it was last accepted, and what has been emitted.
//
// What is emitted is
//
//	plan(source) + offset
//
// bucket by bucket. The offset is zero, and not there, until the source's layout changes. Then the
// increase since the point before, in the finest layout that both points have, is added to
// what was emitted, and the offset becomes what makes the equation true with the new plan. Its
// elements may be negative, modulo 2^64; their sum is zero, so that buckets still add up to the
// count. As long as the source's buckets do not decrease, neither does what is emitted: plan is
// monotone (internal/rebucket), and so is each step.
type stream struct {
	source, start, time uint64 // start as sent, start as emitted, time: ns since the epoch

	plan        *plan           // from the source's layout to the target, which stays for the stream's life
	bounds      []float64       // of an explicit source; not changed in place
	counts      []uint64        // of an explicit source
	exponential *expo.Histogram // source
	sourceScale int32           // of an exponential source as it was sent

	count  uint64 // of the source
	offset []uint64

	// Where the source contradicted itself the stream was begun anew, at zero: this is what it had
	// counted by then.
	rebased   bool
	baseCount uint64
	baseSum   float64

	totals histpoint.Totals // as emitted
}

// words is what a stream refers to.
func (s *stream) words() int {
	if s == nil {
		return 0
	}
	n := cap(s.bounds) + cap(s.counts) + cap(s.offset)
	if s.exponential != nil {
		n += cap(s.exponential.Positive.Counts) + cap(s.exponential.Negative.Counts)
	}
	return n
}

// rebase sets the offset for a plan whose counts are given, so that what was emitted last goes up by
// the increase.
func (s *stream) rebase(counts []uint64, next []uint64) {
	s.offset = slices.Grow(s.offset[:0], len(counts))[:len(counts)]
	for i, n := range counts {
		s.offset[i] = next[i] - n
	}
}

// next returns what was emitted last and the increase since, which met converts from the layout that this
// point and the last have in common.
func (s *stream) next(met *plan, src source) []uint64 {
	n := s.plan.buckets()
	emitted, now, before := make([]uint64, n), make([]uint64, n), make([]uint64, n)
	src.applyKept(s, emitted)
	src.applyMet(met, now, before)
	for i := range emitted {
		emitted[i] += now[i] - before[i]
	}
	s.shift(emitted)
	return emitted
}

// shift adds the offset to converted counts.
func (s *stream) shift(counts []uint64) {
	for i, n := range s.offset {
		counts[i] += n
	}
}

func (s *stream) baseOf() uint64 {
	if s.rebased {
		return s.baseCount
	}
	return 0
}
