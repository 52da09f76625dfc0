package fallbacklog

import (
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/breaker"
)

// outageEvery is how often a line tells that an outage lasts.
const outageEvery = time.Minute

// outage is the time in which data goes to the log, or is still in it. Safe for concurrent use.
type outage struct {
	mu    sync.Mutex
	since time.Time // zero: there is none
	last  time.Time // line
}

func (o *outage) begin(now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.since, o.last = now, now
}

func (o *outage) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.since = time.Time{}
}

// begun returns when the outage began; ok is false if there is none.
func (o *outage) begun() (since time.Time, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.since, !o.since.IsZero()
}

// due reports whether it is time for a line, and how old the outage is.
func (o *outage) due(now time.Time) (age time.Duration, due bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.since.IsZero() || now.Sub(o.last) < outageEvery {
		return 0, false
	}
	o.last = now
	return now.Sub(o.since), true
}

// tellOutage logs one line a minute while an outage lasts.
func (c *core) tellOutage(backlog int64) {
	age, due := c.outage.due(c.now())
	if !due {
		return
	}
	fields := []zap.Field{zap.Duration("age", age.Round(time.Second)), zap.Int64("backlog_bytes", backlog)}
	if c.breaker.State() == breaker.Closed {
		if s, ok := c.outlook.drained(); ok {
			fields = append(fields, zap.Float64("seconds_to_drained", s))
		}
	} else if s, ok := c.outlook.full(); ok {
		fields = append(fields, zap.Float64("seconds_to_full", s))
	}
	if err := c.group.LastFailure(); err != nil {
		fields = append(fields, errorFields(err)...)
	}
	if c.breaker.State() == breaker.Closed {
		c.states.Info("the downstream is back, and the local log is not drained yet", fields...)
		return
	}
	c.states.Warn("the outage lasts, and data goes to the local log", fields...)
}
