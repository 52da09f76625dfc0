package delivery

import "time"

const (
	slowestPause = 30 * time.Second
	firstPause   = 10 * time.Millisecond
)

// pace says when the next request of replay may go: after each one as long as the configured rates give it, and never
// before a time that the downstream has asked for. A downstream that throttles halves it: a pause after each answer,
// twice as long each time, of which every delivery takes a tenth off until it is gone. It is used by one goroutine.
type pace struct {
	requests float64 // a second; 0: any number
	bytes    float64 // a second; 0: any number
	pause    time.Duration
	next     time.Time // what the configured rates say
	until    time.Time // what the downstream says
}

// delay is how long the next request has to wait.
func (p *pace) delay(now time.Time) time.Duration {
	return max(0, p.until.Sub(now), p.next.Sub(now))
}

// sent takes a request's turn.
func (p *pace) sent(now time.Time, bytes int) {
	var d time.Duration
	if p.requests > 0 {
		d = seconds(1 / p.requests)
	}
	if p.bytes > 0 {
		d = max(d, seconds(float64(bytes)/p.bytes))
	}
	p.next = now.Add(d)
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// answered begins the pause of a downstream that throttles.
func (p *pace) answered(now time.Time) { p.block(now.Add(p.pause)) }

// block lets no request pass before a time.
func (p *pace) block(until time.Time) {
	if until.After(p.until) {
		p.until = until
	}
}

// slowed reports whether the downstream has asked for less, and not recovered.
func (p *pace) slowed() bool { return p.pause > 0 }

func (p *pace) slower() { p.pause = min(max(2*p.pause, firstPause), slowestPause) }

func (p *pace) faster() {
	p.pause -= p.pause / 10
	if p.pause < time.Millisecond {
		p.pause = 0
	}
}
