package convert

import (
	"slices"

	"github.com/otelcol-custom/otelcol-custom/internal/expo"
	"github.com/otelcol-custom/otelcol-custom/internal/histpoint"
	"github.com/otelcol-custom/otelcol-custom/processor/bucketing/internal/history"
)

// Streams is the state of cumulative streams. It is safe for concurrent use.
type Streams struct {
	table *history.Table[*stream]
}

// wordsEach is the average number of 8-byte words per stream for which there is room: 160 source buckets and 32 target
// buckets, times two for slices that have grown. If streams need more, there is room for fewer of them.
const wordsEach = 384

// NewStreams returns state for n streams, those seen last. A stream needs about 450 bytes, and 8 bytes for each bound and
// count of its source and each count of its target. With wordsEach of them that is 3.5 KB. Streams of the same layout
// share their plan.
func NewStreams(n int) *Streams {
	return &Streams{history.New[*stream](n, wordsEach)}
}

// Len returns the number of remembered streams.
func (s *Streams) Len() int { return s.table.Len() }

// stream is a cumulative stream: the last accepted point of its source, and what has been emitted. The emitted counts are,
// for each bucket,
//
//	plan(source) + offset
//
// The offset is empty, which means zero, until the source's layout changes. Then the increase since the last point is
// computed in the finest layout that both points share, and added to the emitted counts. The new offset is the one for
// which the equation is true with the new plan. Its elements may be negative, modulo 2^64. Their sum is zero, so the
// buckets still add up to the count. The plan is monotone (internal/rebucket), and each of these steps is too. So emitted
// counts do not decrease unless a bucket of the source does.
type stream struct {
	sentStart, start, time uint64 // in ns since the epoch: the start as sent, the start as emitted, and the last point's time

	plan        *plan           // from the source's layout to the target; the target never changes
	bounds      []float64       // of an explicit source; not changed in place
	counts      []uint64        // of an explicit source
	exponential *expo.Histogram // an exponential source, nil for an explicit one
	sourceScale int32           // scale of an exponential source as sent

	count  uint64 // of the source
	offset []uint64

	// rebased says that the stream restarted from zero when a bucket of its source decreased. baseCount and baseSum are
	// the source's count and sum at that point; otherwise they are 0.
	rebased   bool
	baseCount uint64
	baseSum   float64

	totals histpoint.Totals // as emitted
}

// words returns the number of 8-byte words in the slices of a stream.
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

// setOffset sets the offset so that converted counts plus offset are the emitted counts.
func (s *stream) setOffset(converted, emitted []uint64) {
	s.offset = slices.Grow(s.offset[:0], len(converted))[:len(converted)]
	for i, n := range converted {
		s.offset[i] = emitted[i] - n
	}
}

// addOffset adds the offset to converted counts.
func (s *stream) addOffset(counts []uint64) {
	for i, n := range s.offset {
		counts[i] += n
	}
}

// lastEmitted sets counts to the counts that were emitted last.
func (s *stream) lastEmitted(counts []uint64) {
	if s.exponential != nil {
		applyExponential(s.plan, counts, s.exponential)
	} else {
		s.plan.fromExplicit.Apply(counts, s.counts)
	}
	s.addOffset(counts)
}

// next returns the counts that were emitted last plus the increase from the last point to this one.
func (s *stream) next(a aligned) []uint64 {
	n := s.plan.buckets()
	emitted, now, before := make([]uint64, n), make([]uint64, n), make([]uint64, n)
	s.lastEmitted(emitted)
	a.pair.apply(a.plan, now, before)
	for i := range emitted {
		emitted[i] += now[i] - before[i]
	}
	return emitted
}
