package delivery

import (
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/breaker"
)

// permit is the right to make one attempt, from the group's breaker and from the lane's refusalBreaker. Exactly one of its
// methods must be called, once.
type permit struct {
	shared, own breaker.Permit
}

// allow asks both breakers for a permit. Without one it returns the reason to log the data.
func (l *Lane) allow(mayProbe bool) (p permit, reason Reason) {
	own := l.refusalBreaker.Allow(mayProbe)
	if !own.Granted() {
		return permit{}, ReasonSystemic
	}
	shared := l.group.breaker.Allow(mayProbe)
	if !shared.Granted() {
		own.Cancel()
		return permit{}, ReasonOpen
	}
	if own.Probe() {
		l.probes.Add(1)
	}
	return permit{shared, own}, ""
}

func (p permit) success() {
	p.shared.Success()
	p.own.Success()
}

// failed ends the permit of an attempt that failed without a refusal. The group's breaker does not count data that fails while
// others pass. It counts answers that may be about the data once per batch. For the lane's refusalBreaker the probe has failed
// in any case.
func (p permit) failed(t failedAttempt) {
	switch {
	case t.suspect:
		p.shared.Cancel()
	case t.failure.AboutData && t.countedByBreaker:
		p.shared.FailProbe()
	default:
		p.shared.Failure()
	}
	p.own.FailProbe()
}

// refused ends the permit of an attempt that was refused. A refusal shows that the downstream is reachable.
func (p permit) refused() {
	p.shared.Refused()
	p.own.FailProbe()
}

func (p permit) cancel() {
	p.shared.Cancel()
	p.own.Cancel()
}
