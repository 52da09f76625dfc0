package fallbacklog

import (
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/breaker"
)

// outageEvery is the interval of the log lines during an outage.
const outageEvery = time.Minute

// outage is the time in which data goes to the log or is still in it. It is safe for concurrent use.
type outage struct {
	mu        sync.Mutex
	since     time.Time // zero: there is none
	last      time.Time // time of the last line
	delivered uint64    // requests delivered up to the last line
}

func (o *outage) begin(now time.Time, delivered uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.since, o.last, o.delivered = now, now, delivered
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

// due reports whether it is time for a line, and returns the age of the outage and the number of requests delivered since the
// last line. delivered is their number since the start.
func (o *outage) due(now time.Time, delivered uint64) (age time.Duration, newlyDelivered uint64, due bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.since.IsZero() || now.Sub(o.last) < outageEvery {
		return 0, 0, false
	}
	newlyDelivered = delivered - o.delivered
	o.last, o.delivered = now, delivered
	return now.Sub(o.since), newlyDelivered, true
}

// logOutage logs one line per minute during an outage.
func (c *core) logOutage(backlog int64) {
	age, delivered, due := c.outage.due(c.now(), c.group.Delivered())
	if !due {
		return
	}
	fields := []zap.Field{zap.Duration("age", age.Round(time.Second)), zap.Int64("backlog_bytes", backlog)}
	if err := c.group.LastFailure(); err != nil {
		fields = append(fields, errorFields(err)...)
	}
	refused := c.group.RefusedSignals()
	switch {
	case c.breaker.State() != breaker.Closed:
		c.unsampled.Warn("the outage lasts, and data goes to the local log", c.untilFull(fields)...)
	case len(refused) > 0:
		c.unsampled.Warn("the downstream refuses signals, and their data goes to the local log",
			c.untilFull(append(fields, zap.Strings("signals", refused)))...)
	case delivered == 0:
		c.unsampled.Warn("the local log is not drained, and nothing went out since the last line", c.untilFull(fields)...)
	default:
		if s, ok := c.forecast.drained(); ok {
			fields = append(fields, zap.Float64("seconds_to_drained", s))
		}
		c.unsampled.Info("the downstream is back, and the local log is not drained yet", fields...)
	}
}

// untilFull adds the time until the log is full, if it grows.
func (c *core) untilFull(fields []zap.Field) []zap.Field {
	if s, ok := c.forecast.full(); ok {
		fields = append(fields, zap.Float64("seconds_to_full", s))
	}
	return fields
}
