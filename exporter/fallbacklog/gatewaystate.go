package fallbacklog

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/otelcol-custom/otelcol-custom/exporter/fallbacklog/internal/breaker"
	"github.com/otelcol-custom/otelcol-custom/internal/gatewaystate"
)

// itemTally contains the counts of a signal's items that are rare, for the gateway page.
type itemTally struct {
	logged, deadLettered, dropped, rejected, expired, late atomic.Int64
}

func (t *laneTelemetry) items() gatewaystate.LogItems {
	n := &t.tally
	return gatewaystate.LogItems{
		Received: t.received.Total(), DeliveredDirect: t.direct.Total(), DeliveredReplayed: t.replayed.Total(),
		Logged: n.logged.Load(), DeadLettered: n.deadLettered.Load(), Dropped: n.dropped.Load(), Rejected: n.rejected.Load(),
		Expired: n.expired.Load(), Late: n.late.Load(),
	}
}

// published is the state that a component shows on the gateway page, once for all its signals. It is safe for concurrent use.
type published struct {
	breakerChangedAt atomic.Int64 // when the breaker opened or closed, in Unix nanoseconds; 0: not since the start
	begun            time.Time

	mu       sync.Mutex
	lanes    map[string]*lane // by signal
	withdraw func()           // nil before the first signal has started and after withdraw
}

// publish adds a signal to the page. The first signal also adds the component.
func (c *core) publish(pages gatewaystate.Registries, signal string, l *lane) {
	p := &c.published
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lanes == nil {
		p.lanes = map[string]*lane{}
	}
	p.lanes[signal] = l
	if p.withdraw == nil {
		p.withdraw = pages.Register(c)
	}
}

// withdraw removes the component from the page. Counts after the first signal's shutdown are not shown.
func (c *core) withdraw() {
	p := &c.published
	p.mu.Lock()
	leave := p.withdraw
	p.withdraw = nil
	p.mu.Unlock()
	if leave != nil {
		leave()
	}
}

// GatewayState implements gatewaystate.Source.
func (c *core) GatewayState() gatewaystate.State {
	state := c.breaker.State()
	l := &gatewaystate.Log{
		Breaker: state.String(), BreakerSince: c.published.begun, OnFull: string(c.cfg.Log.OnFull), Replay: c.cfg.Replay.Enabled,
		CapacityBytes: c.logBudget.Capacity(), UsedBytes: c.logBudget.Used(), OrphanedBytes: c.orphans.bytes.Load(),
	}
	if spec := c.cfg.Exporter.spec; spec != nil {
		l.Exporter = spec.ID.String()
	}
	if at := c.published.breakerChangedAt.Load(); at != 0 {
		l.BreakerSince = time.Unix(0, at)
	}
	if since, lasts := c.outage.begun(); lasts {
		l.Since = &since
		if err := c.group.LastFailure(); err != nil {
			l.LastError = gatewaystate.Clip(err.Error())
		}
	}
	if s, ok := c.forecast.full(); ok {
		l.SecondsToFull = &s
	}
	if s, ok := c.forecast.drained(); ok {
		l.SecondsToDrained = &s
	}
	for signal, lane := range c.signals() {
		l.Signals = append(l.Signals, lane.state(signal))
	}
	slices.SortFunc(l.Signals, func(a, b gatewaystate.LogSignal) int { return cmp.Compare(a.Signal, b.Signal) })
	if state != breaker.Closed || c.cfg.Exporter.spec == nil {
		l.Refuses = c.refusal(l)
	}
	return gatewaystate.State{Component: c.id.String(), Log: l}
}

// leastRoom is the room below which a log counts as full. A smaller batch may still fit.
const leastRoom = 64 << 10

// refusal returns why a batch that goes to the log now would be refused, or an empty text if it would not.
func (c *core) refusal(l *gatewaystate.Log) string {
	for i := range l.Signals {
		if why := l.Signals[i].Degraded; why != "" {
			return why
		}
	}
	if c.cfg.Log.OnFull == OnFullReject && l.CapacityBytes-l.UsedBytes < leastRoom {
		return "the log is full"
	}
	return ""
}

func (c *core) signals() map[string]*lane {
	c.published.mu.Lock()
	defer c.published.mu.Unlock()
	lanes := make(map[string]*lane, len(c.published.lanes))
	for signal, l := range c.published.lanes {
		lanes[signal] = l
	}
	return lanes
}

func (l *lane) state(signal string) gatewaystate.LogSignal {
	stats := l.log.Stats()
	s := gatewaystate.LogSignal{
		Signal: signal, Items: l.tel.items(), FoundBytes: l.foundBytes, UnreadBytes: stats.Unread, DiskBytes: stats.Bytes,
	}
	if !stats.Oldest.IsZero() {
		s.OldestSeconds = max(0, l.core.now().Sub(stats.Oldest).Seconds())
	}
	if l.deadLetter != nil {
		s.DeadLetterBytes = l.deadLetter.Stats().Unread
	}
	if err := l.LogCondition(); err != nil {
		s.Degraded = gatewaystate.Clip(err.Error())
	} else if l.stalled() {
		s.Degraded = "the disk does not answer"
	}
	return s
}
