package delivery

import (
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/breaker"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/failure"
)

// verdict is the meaning of a failed attempt for its data.
type verdict int

const (
	retryable      verdict = iota // another attempt may pass
	inconclusive                  // the caller or Shutdown ended the attempt
	refusedForNow                 // refused; the data waits while others go on
	refusedForGood                // refused for good, or one of several records is
	tooLarge                      // refused for its size; it can be sent in parts
)

// failedAttempt describes an attempt that failed.
type failedAttempt struct {
	failure          failure.Failure
	cancelled        bool // the caller or Shutdown ended it
	together         bool // it had several records, so no single record is at fault
	neverRefused     bool // the data has not been refused before
	countedByBreaker bool // the breaker has counted the data already
	suspect          bool // the data has failed before, and others have passed since
	divisible        bool // the data can be sent in parts
}

// verdictOn returns the verdict on a failed attempt, and counts first refusals for the rule of five.
func (l *Lane) verdictOn(t failedAttempt) verdict {
	f := t.failure
	l.opt.Observer.Failed(f.Class)
	switch {
	case t.cancelled && f.Code == "" && endsUnderWay(f.Class):
		return inconclusive
	case !f.Kind.Refused():
		return retryable
	case f.Class == failure.TooLarge && t.divisible:
		return tooLarge
	case t.together:
		return refusedForGood
	}
	if t.neverRefused {
		l.refusalBreaker.Count()
	}
	if f.Kind == failure.BatchKind && l.refusalBreaker.State() == breaker.Closed {
		return refusedForGood
	}
	return refusedForNow
}

// endsUnderWay reports whether an attempt that the caller or Shutdown ended may fail with this class although the downstream
// has not answered.
func endsUnderWay(c failure.Class) bool {
	return c == failure.Canceled || c == failure.Timeout || c == failure.Opaque || c == failure.Unknown
}

// conclude ends the permit of a failed attempt.
func (p permit) conclude(v verdict, t failedAttempt) {
	switch v {
	case retryable:
		p.failed(t)
	case refusedForNow:
		p.refused()
	case refusedForGood:
		if t.together {
			p.cancel()
		} else {
			p.refused()
		}
	case inconclusive, tooLarge:
		p.cancel()
	}
}

// judge returns the verdict on a failed attempt and ends its permit.
func (l *Lane) judge(p permit, t failedAttempt) verdict {
	v := l.verdictOn(t)
	p.conclude(v, t)
	return v
}
