package delivery

import (
	"time"

	"golang.org/x/time/rate"
)

const (
	slowestPause = 30 * time.Second
	firstPause   = 10 * time.Millisecond
)

// pace spaces the requests of replay: at most the configured rate, and half as fast each time the downstream asks for
// less. Every delivery takes a tenth off the pause until it is gone. It is used by one goroutine.
type pace struct {
	limit *rate.Limiter // nil: none configured
	pause time.Duration
	until time.Time // no request before it: the downstream has said so
}

func newPace(perSecond float64) *pace {
	p := &pace{}
	if perSecond > 0 {
		p.limit = rate.NewLimiter(rate.Limit(perSecond), 1)
	}
	return p
}

// delay is how long the next request has to wait. It takes the request's turn.
func (p *pace) delay(now time.Time) time.Duration {
	d := p.pause
	if p.limit != nil {
		d = max(d, p.limit.ReserveN(now, 1).DelayFrom(now))
	}
	return d
}

// block lets no request pass before a time.
func (p *pace) block(until time.Time) {
	if until.After(p.until) {
		p.until = until
	}
}

// blocked is how long no request may pass.
func (p *pace) blocked(now time.Time) time.Duration { return max(0, p.until.Sub(now)) }

func (p *pace) slower() { p.pause = min(max(2*p.pause, firstPause), slowestPause) }

func (p *pace) faster() {
	p.pause -= p.pause / 10
	if p.pause < time.Millisecond {
		p.pause = 0
	}
}
