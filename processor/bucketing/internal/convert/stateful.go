package convert

import (
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-custom/otelcol-custom/internal/histpoint"
)

// header is the timestamps and totals of a point, which conversion reads and may rewrite.
type header struct {
	start, time uint64
	totals      histpoint.Totals
	restated    bool // totals or start are not the source's
}

// accumulate converts a point as the continuation of its stream.
func accumulate[P histpoint.Point](j *job, p P, src source) (v verdict) {
	h := header{start: uint64(p.StartTimestamp()), time: uint64(p.Timestamp()), totals: histpoint.TotalsOf(p)}
	j.rule.Streams.table.Update(j.identify(p.Attributes()), func(s **stream, _ bool) int {
		*s, v = j.step(*s, &h, src)
		return (*s).words()
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
		return j.beginStream(new(stream), h, h.start, src)
	case h.time < s.time && h.time != 0 && h.start <= s.source:
		return s, j.late(s, src)
	case h.start != s.source:
		return j.beginStream(s, h, h.start, src)
	case src.count() < s.count:
		return j.restart(s, h, CountFell, src)
	}
	if shown, restarted := src.restarted(s); restarted {
		return j.restart(s, h, shown, src)
	}
	planned := src.plan(s)
	if planned.plan == nil {
		return s, verdict{reason: planned.reason}
	}
	plan := planned.plan
	met, same := src.meet(s)
	if !src.covers() {
		return s, j.contradicted(s, h, plan, src)
	}
	counts := j.out.begin(&plan.target, src.count())
	tally := src.apply(plan, counts)
	if !same {
		s.rebase(counts, s.next(met, src))
	}
	s.shift(counts)
	return s, j.emit(s, h, plan, src, j.weigh(tally, src.count()))
}

// restart begins a stream anew that the source began anew, after its last point, without a new start.
func (j *job) restart(s *stream, h *header, shown Violation, src source) (*stream, verdict) {
	j.report.Violations[Reset][shown]++
	return j.beginStream(s, h, max(s.time, h.start), src)
}

// beginStream starts a stream whose points are as the source has them.
func (j *job) beginStream(s *stream, h *header, start uint64, src source) (*stream, verdict) {
	planned := src.plan(nil)
	if planned.plan == nil {
		return nil, verdict{reason: planned.reason}
	}
	plan := planned.plan
	s.source, s.start, s.offset, s.rebased = h.start, start, s.offset[:0], false
	tally := src.apply(plan, j.out.begin(&plan.target, src.count()))
	return s, j.emit(s, h, plan, src, j.weigh(tally, src.count()))
}

// late converts a point that is older than the stream's last by itself, to the stream's target. The
// stream does not know what it was then.
func (j *job) late(s *stream, src source) verdict {
	planned := src.plan(s)
	if planned.plan == nil {
		return verdict{reason: planned.reason}
	}
	tally := src.apply(planned.plan, j.out.begin(&planned.plan.target, src.count()))
	return j.weigh(tally, src.count())
}

// contradicted is a point whose count goes on while a bucket decreases: no accumulation has such an
// increase.
func (j *job) contradicted(s *stream, h *header, plan *plan, src source) verdict {
	j.report.Violations[j.rule.OnViolation][BucketFell]++
	switch j.rule.OnViolation {
	case Hold:
		s.time = h.time
		counts := j.out.begin(&s.plan.target, s.count-s.baseOf())
		src.applyKept(s, counts)
		s.shift(counts)
		h.start, h.totals, h.restated = s.start, s.totals, true
		return verdict{ok: true}
	case Drop:
		return verdict{drop: true}
	default:
		// From here on, and from zero: what the stream had counted so far is subtracted.
		s.start, s.rebased = h.time, true
		s.baseCount, s.baseSum = src.count(), h.totals.Sum
		counts := j.out.begin(&plan.target, src.count())
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
	j.out.explicit.Count = s.count - s.baseOf()
	return v
}
