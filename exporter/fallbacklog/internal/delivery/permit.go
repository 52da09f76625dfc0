package delivery

import (
	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/breaker"
)

// permit is the right to make one attempt, from the group's breaker and from the lane's own. Exactly one of its methods
// must be called, once.
type permit struct {
	shared, own breaker.Permit
}

// allow asks both breakers. Where there is no permit, not says why the data goes to the log.
func (l *Lane) allow(mayProbe bool) (p permit, not string) {
	own := l.parked.Allow(mayProbe)
	if !own.Granted() {
		return permit{}, reasonSystemic
	}
	shared := l.group.breaker.Allow(mayProbe)
	if !shared.Granted() {
		own.Cancel()
		return permit{}, reasonOpen
	}
	return permit{shared, own}, ""
}

func (p permit) success() {
	p.shared.Success()
	p.own.Success()
}

// failure is the downstream's: the lane's own breaker is for what only it meets.
func (p permit) failure() {
	p.shared.Failure()
	p.own.Cancel()
}

func (p permit) cancel() {
	p.shared.Cancel()
	p.own.Cancel()
}

// trip ends the permit of an attempt that was refused in a way that would refuse all of the lane's data. Where the
// downstream has taken another lane's since the last time, that is the lane's affair: a downstream that knows no traces
// must not keep the metrics.
func (l *Lane) trip(p permit) {
	others := l.group.deliveries.Load() - l.successes.Load()
	if l.others.Swap(others) == others {
		p.shared.Trip()
		p.own.Cancel()
		return
	}
	p.shared.Cancel()
	p.own.Trip()
}
