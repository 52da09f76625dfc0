package delivery

import "time"

const (
	slowestPause = 30 * time.Second
	firstPause   = 10 * time.Millisecond
)

// pace decides when the next request of replay may go. The configured rates set a pause after each request, and the downstream
// may ask for a longer one. After a throttled answer there is also a pause after each answer. It doubles with each throttled
// answer, and each delivery shortens it by a tenth until it is gone. One goroutine uses it.
type pace struct {
	requests float64 // per second; 0: no limit
	bytes    float64 // per second; 0: no limit
	pause    time.Duration
	next     time.Time // earliest time that the configured rates allow
	until    time.Time // earliest time that the downstream allows
}

// delay returns how long the next request has to wait.
func (p *pace) delay(now time.Time) time.Duration {
	return max(0, p.until.Sub(now), p.next.Sub(now))
}

// sent records that a request was sent.
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

// answered starts the pause after an answer.
func (p *pace) answered(now time.Time) { p.block(now.Add(p.pause)) }

// block lets no request go before a time.
func (p *pace) block(until time.Time) {
	if until.After(p.until) {
		p.until = until
	}
}

// slowed reports whether the downstream has throttled and has not recovered.
func (p *pace) slowed() bool { return p.pause > 0 }

func (p *pace) slower() { p.pause = min(max(2*p.pause, firstPause), slowestPause) }

func (p *pace) faster() {
	p.pause -= p.pause / 10
	if p.pause < time.Millisecond {
		p.pause = 0
	}
}
