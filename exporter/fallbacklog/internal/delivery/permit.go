package delivery

import (
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/breaker"
)

// permit is the right to make one attempt, from the group's breaker and from the lane's rule of five. Exactly one of its
// methods must be called, once.
type permit struct {
	shared, own breaker.Permit
}

// allow asks both breakers. Without a permit it returns why the data goes to the log.
func (l *Lane) allow(mayProbe bool) (p permit, reason Reason) {
	own := l.refusals.Allow(mayProbe)
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

// failed is for an attempt that failed without a refusal. Data that fails while others pass says nothing about the
// downstream, and an answer that may be about the data counts once for it; as a probe it has failed nevertheless.
func (p permit) failed(t trial) {
	switch {
	case t.suspect:
		p.shared.Cancel()
	case t.failure.AboutData && t.counted:
		p.shared.FailProbe()
	default:
		p.shared.Failure()
	}
	p.own.FailProbe()
}

// refused is for an attempt that was refused: the downstream is there.
func (p permit) refused() {
	p.shared.Refused()
	p.own.FailProbe()
}

func (p permit) cancel() {
	p.shared.Cancel()
	p.own.Cancel()
}
