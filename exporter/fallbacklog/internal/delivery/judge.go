package delivery

import (
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/failure"
)

// verdict is what a failed attempt means for its data.
type verdict int

const (
	retryable    verdict = iota // again later
	inconclusive                // we broke it off ourselves
	refused                     // this data, for good
	systemic                    // any data, until somebody changes something
	opaque                      // nobody can tell
)

// systemicStreak permanent errors of different batches in a row, without a success, are not the batches' fault.
const systemicStreak = 5

// judge tells the breakers what a failure says about the downstream and returns what it means for the data. brokenOff:
// the caller or Shutdown ended the attempt, so that an error without a word of the downstream is theirs. distinct: the
// data has not been refused before. suspect: it has failed before, and others have passed since.
//
// Permanent errors and broken-off attempts are no sign of an outage and do not count. An opaque one might be, so it
// counts: data that alone causes them is found by replay (see pending.poison), and once suspect does not count.
func (l *Lane) judge(p permit, f failure.Failure, brokenOff, distinct, suspect bool) verdict {
	l.opt.Observer.Failed(f.Class)
	switch {
	case brokenOff && (f.Class == failure.Canceled || f.Class == failure.Timeout || f.Class == failure.Opaque ||
		f.Class == failure.Unknown && f.Code == ""):
		p.cancel()
		return inconclusive
	case f.Retryable:
		fail(p, suspect)
		return retryable
	case f.Systemic:
		l.trip(p)
		return systemic
	case f.Class == failure.Opaque:
		fail(p, suspect)
		return opaque
	}
	streak := l.permanents.Load()
	if distinct {
		streak = l.permanents.Add(1)
	}
	if streak >= systemicStreak {
		l.trip(p)
		return systemic
	}
	p.cancel()
	return refused
}

// fail ends the permit of an attempt that failed, unless it is the data that fails.
func fail(p permit, suspect bool) {
	if suspect {
		p.cancel()
		return
	}
	p.failure()
}
