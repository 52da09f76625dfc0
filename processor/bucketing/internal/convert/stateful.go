package convert

import (
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"

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

// NewStreams returns room for n streams: those seen last, half of them for certain. A stream takes
// about 450 bytes and 8 for each bound and count of its source and each count of its target; at
// wordsEach of them that is 3.5 KB. Its plan is shared by the streams of its layout.
func NewStreams(n int) *Streams {
	return &Streams{history.New[*stream](n, wordsEach)}
}

// stream is a cumulative stream: its source as it was last accepted, and what has been emitted.
//
// What is emitted is
//
//	plan(source) + offset
//
// bucket by bucket. The offset is zero, and not there, until the source's layout changes. Then the
// increase since the point before, taken in the finest layout that both points have, is added to
// what was emitted, and the offset becomes what makes the equation hold with the new plan. Its
// elements may be negative, modulo 2^64; their sum is zero, so that buckets still add up to the
// count. As long as the source's buckets do not decrease, neither does what is emitted: plan is
// monotone (internal/rebucket), and so is each step.
type stream struct {
	source, start, time uint64 // start as sent, start as emitted, time: ns since the epoch

	plan        *plan           // from the source's layout to the target, which stays for the stream's life
	bounds      []float64       // of an explicit source; not changed in place
	counts      []uint64        // of an explicit source
	exponential *expo.Histogram // source

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

// header is what else of a point decides, and may change.
type header struct {
	start, time uint64
	totals      histpoint.Totals
	restated    bool // totals or start are not the source's
}

// accumulate converts a point as the continuation of its stream.
func accumulate[P histpoint.Point](j *job, p P, src source) (v verdict) {
	h := header{start: uint64(p.StartTimestamp()), time: uint64(p.Timestamp()), totals: histpoint.TotalsOf(p)}
	j.rule.Streams.table.Update(j.identify(p.Attributes()), func(s *stream, _ bool) (*stream, int) {
		s, v = j.step(s, &h, src)
		return s, s.words()
	})
	if v.ok && h.restated {
		p.SetStartTimestamp(pcommon.Timestamp(h.start))
		histpoint.SetTotals(p, h.totals)
	}
	return v
}

// step is one point of a stream; no stream is one that is not known.
func (j *job) step(s *stream, h *header, src source) (*stream, verdict) {
	switch {
	case s == nil:
		return j.begin(new(stream), h, h.start, src)
	case h.time < s.time && h.time != 0 && h.start <= s.source:
		return s, j.late(s, src)
	case h.start != s.source:
		return j.begin(s, h, h.start, src)
	case src.count() < s.count:
		// A reset that the source does not declare, after its last point.
		j.report.Violations[Reset][CountFell]++
		return j.begin(s, h, max(s.time, h.start), src)
	}
	plan := src.plan(s)
	if plan.refused {
		return s, verdict{reason: plan.reason}
	}
	met, same := src.meet(s)
	if !src.covers() {
		return s, j.contradicted(s, h, plan, src)
	}
	counts := j.buckets(len(plan.bounds) + 1)
	tally := src.apply(plan, counts)
	if !same {
		s.rebase(counts, src.step(s, met))
	}
	for i, n := range s.offset {
		counts[i] += n
	}
	return s, j.emit(s, h, plan, src, j.weigh(tally, src.count()))
}

// begin starts a stream whose points are as the source has them.
func (j *job) begin(s *stream, h *header, start uint64, src source) (*stream, verdict) {
	plan := src.plan(nil)
	if plan.refused {
		return nil, verdict{reason: plan.reason}
	}
	s.source, s.start, s.offset, s.rebased = h.start, start, s.offset[:0], false
	tally := src.apply(plan, j.buckets(len(plan.bounds)+1))
	return s, j.emit(s, h, plan, src, j.weigh(tally, src.count()))
}

// late converts a point that is older than the stream's last by itself, to the stream's target. The
// stream does not know what it was then.
func (j *job) late(s *stream, src source) verdict {
	plan := src.plan(s)
	if plan.refused {
		return verdict{reason: plan.reason}
	}
	tally := src.apply(plan, j.buckets(len(plan.bounds)+1))
	j.setTarget(plan, src.count())
	return j.weigh(tally, src.count())
}

// contradicted is a point whose count goes on while a bucket decreases: no accumulation has such an
// increase.
func (j *job) contradicted(s *stream, h *header, plan *plan, src source) verdict {
	j.report.Violations[j.rule.OnViolation][BucketFell]++
	switch j.rule.OnViolation {
	case Hold:
		s.time = h.time
		counts := j.buckets(len(s.plan.bounds) + 1)
		src.applyKept(s, counts)
		for i, n := range s.offset {
			counts[i] += n
		}
		j.setTarget(s.plan, s.count-s.baseOf())
		h.start, h.totals, h.restated = s.start, s.totals, true
		return verdict{ok: true}
	case Drop:
		return verdict{drop: true}
	default:
		// From here on, and from zero: what the stream had counted so far is subtracted.
		s.start, s.rebased = h.time, true
		s.baseCount, s.baseSum = src.count(), h.totals.Sum
		counts := j.buckets(len(plan.bounds) + 1)
		src.apply(plan, counts)
		s.offset = slices.Grow(s.offset[:0], len(counts))[:len(counts)]
		for i, n := range counts {
			s.offset[i] = -n
		}
		clear(counts)
		return j.emit(s, h, plan, src, verdict{ok: true})
	}
}

// emit keeps the point and completes what goes out: the counts are in scratch space.
func (j *job) emit(s *stream, h *header, plan *plan, src source, v verdict) verdict {
	s.time, s.plan, s.count = h.time, plan, src.count()
	src.keep(s)
	if s.rebased {
		h.totals.Sum -= s.baseSum
		// The source's are of its whole life.
		h.totals.HasMin, h.totals.HasMax = false, false
	}
	h.restated = s.rebased || h.start != s.start
	h.start = s.start
	s.totals = h.totals
	j.setTarget(plan, s.count-s.baseOf())
	return v
}

// rebase sets the offset for a plan whose counts are given, so that what was emitted last goes up by
// the increase.
func (s *stream) rebase(counts []uint64, next []uint64) {
	s.offset = slices.Grow(s.offset[:0], len(counts))[:len(counts)]
	for i, n := range counts {
		s.offset[i] = next[i] - n
	}
}

func (s *stream) baseOf() uint64 {
	if s.rebased {
		return s.baseCount
	}
	return 0
}
