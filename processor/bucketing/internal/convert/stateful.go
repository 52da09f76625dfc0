package convert

import (
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-custom/otelcol-custom/internal/histpoint"
)

// header has the fields of a point other than its buckets. Conversion may rewrite the start and the totals.
type header struct {
	start, time uint64 // in ns since the epoch
	count       uint64 // of the source
	totals      histpoint.Totals
	restated    bool // start or totals differ from the source's
}

// accumulate converts a point as the continuation of its stream.
func accumulate[P histpoint.Point](j *job, p P, src source) (v verdict) {
	h := header{start: uint64(p.StartTimestamp()), time: uint64(p.Timestamp()), count: p.Count(), totals: histpoint.TotalsOf(p)}
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

// step converts one point of a stream and returns the stream's new state. s is nil for an unknown stream.
func (j *job) step(s *stream, h *header, src source) (*stream, verdict) {
	switch {
	case s == nil:
		return j.beginStream(new(stream), h, h.start, src)
	case h.time < s.time && h.time != 0 && h.start <= s.sentStart:
		return s, j.convertLate(s, h, src)
	case h.start != s.sentStart:
		return j.beginStream(s, h, h.start, src)
	case h.count < s.count:
		return j.restart(s, h, CountFell, src)
	}
	if violation, restarted := src.restarted(s); restarted {
		return j.restart(s, h, violation, src)
	}
	planned := src.plan(s)
	if planned.plan == nil {
		return s, verdict{reason: planned.reason}
	}
	plan := planned.plan
	a := src.align(s)
	if a.pair.decreased() {
		return s, j.convertDecrease(s, h, plan, src)
	}
	counts := j.out.begin(&plan.target, h.count)
	tally := src.apply(plan, counts)
	if !a.sameLayout {
		s.setOffset(counts, s.next(a))
	}
	s.addOffset(counts)
	return s, j.emit(s, h, plan, src, j.checkTally(tally, h.count))
}

// restart restarts a stream whose source restarted without a new start timestamp. The time of the last point becomes the
// start.
func (j *job) restart(s *stream, h *header, violation Violation, src source) (*stream, verdict) {
	j.report.Violations[Reset][violation]++
	return j.beginStream(s, h, max(s.time, h.start), src)
}

// beginStream begins a stream, or begins it again, with the point's own counts.
func (j *job) beginStream(s *stream, h *header, start uint64, src source) (*stream, verdict) {
	planned := src.plan(nil)
	if planned.plan == nil {
		return nil, verdict{reason: planned.reason}
	}
	plan := planned.plan
	s.sentStart, s.start, s.offset = h.start, start, s.offset[:0]
	s.rebased, s.baseCount, s.baseSum = false, 0, 0
	tally := src.apply(plan, j.out.begin(&plan.target, h.count))
	return s, j.emit(s, h, plan, src, j.checkTally(tally, h.count))
}

// convertLate converts a point that is older than the stream's last one to the stream's target. It is converted
// independently, because the state of the stream at that time is not known any more.
func (j *job) convertLate(s *stream, h *header, src source) verdict {
	planned := src.plan(s)
	if planned.plan == nil {
		return verdict{reason: planned.reason}
	}
	tally := src.apply(planned.plan, j.out.begin(&planned.plan.target, h.count))
	return j.checkTally(tally, h.count)
}

// convertDecrease treats a point in which a bucket has decreased although the count has not. No increase of a cumulative
// stream has that effect.
func (j *job) convertDecrease(s *stream, h *header, plan *plan, src source) verdict {
	j.report.Violations[j.rule.OnViolation][BucketFell]++
	switch j.rule.OnViolation {
	case Hold:
		s.time = h.time
		s.lastEmitted(j.out.begin(&s.plan.target, s.count-s.baseCount))
		h.start, h.totals, h.restated = s.start, s.totals, true
		return verdict{ok: true}
	case Drop:
		return verdict{drop: true}
	default:
		// The emitted stream starts here, from zero: the offset subtracts everything that the source has counted so far.
		s.start, s.rebased = h.time, true
		s.baseCount, s.baseSum = h.count, h.totals.Sum
		counts := j.out.begin(&plan.target, h.count)
		src.apply(plan, counts)
		s.offset = slices.Grow(s.offset[:0], len(counts))[:len(counts)]
		for i, n := range counts {
			s.offset[i] = -n
		}
		clear(counts)
		return j.emit(s, h, plan, src, verdict{ok: true})
	}
}

// emit makes the point the stream's last one and completes the converted point, whose counts are in j.out already.
func (j *job) emit(s *stream, h *header, plan *plan, src source, v verdict) verdict {
	s.time, s.plan, s.count = h.time, plan, h.count
	src.keep(s)
	if s.rebased {
		h.totals.Sum -= s.baseSum
		// The minimum and the maximum of the source include observations from before the restart.
		h.totals.HasMin, h.totals.HasMax = false, false
	}
	h.restated = s.rebased || h.start != s.start
	h.start = s.start
	s.totals = h.totals
	j.out.explicit.Count = s.count - s.baseCount
	return v
}
