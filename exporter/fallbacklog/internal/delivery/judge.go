package delivery

import (
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/breaker"
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/failure"
)

// verdict is what a failed attempt means for its data.
type verdict int

const (
	again        verdict = iota // another attempt may pass
	inconclusive                // the caller or Shutdown ended the attempt
	waiting                     // refused; it waits while others go on
	refused                     // refused for good, or one of several is
	tooLarge                    // refused for its size: it can be sent in parts
)

// trial is a failed attempt.
type trial struct {
	failure   failure.Failure
	brokenOff bool // the caller or Shutdown ended it
	company   bool // several records went out together: the failure says nothing about any
	first     bool // the data has not been refused before
	counted   bool // the breaker has counted the data already
	suspect   bool // the data has failed before, and others have passed since
	divisible bool // it can be sent in parts
}

// weigh returns what a failed attempt means for its data, and counts first refusals for the rule of five.
func (l *Lane) weigh(t trial) verdict {
	f := t.failure
	l.opt.Observer.Failed(f.Class)
	switch {
	case t.brokenOff && f.Code == "" && endsUnderWay(f.Class):
		return inconclusive
	case !f.Kind.Refused():
		return again
	case f.Class == failure.TooLarge && t.divisible:
		return tooLarge
	case t.company:
		return refused
	}
	if t.first {
		l.refusals.Count()
	}
	if f.Kind == failure.BatchKind && l.refusals.State() == breaker.Closed {
		return refused
	}
	return waiting
}

// endsUnderWay reports whether an attempt that we ended may fail in this way, without a word of the downstream.
func endsUnderWay(c failure.Class) bool {
	return c == failure.Canceled || c == failure.Timeout || c == failure.Opaque || c == failure.Unknown
}

// conclude ends the permit of a failed attempt.
func (p permit) conclude(v verdict, t trial) {
	switch v {
	case again:
		p.failed(t)
	case waiting:
		p.refused()
	case refused:
		if t.company {
			p.cancel()
		} else {
			p.refused()
		}
	case inconclusive, tooLarge:
		p.cancel()
	}
}

func (l *Lane) judge(p permit, t trial) verdict {
	v := l.weigh(t)
	p.conclude(v, t)
	return v
}
