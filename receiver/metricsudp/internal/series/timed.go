package series

import (
	"math"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
)

// TimedPoint is a value with a time of its own, either the sender's or the time of receipt.
type TimedPoint struct {
	Series *Series
	// Time is in nanoseconds. With Received it is the time of receipt on the clock that all tables share. Otherwise the sender
	// has set it, and it counts from the Unix epoch.
	Time     int64
	Received bool
	Whole    int64   // rounded value of an int counter
	Real     float64 // value of a float counter, a gauge or the aggregation Each
}

// addTimed adds the values of a line that has a timestamp.
func (t *Table) addTimed(s *Series, l *line.Line) {
	for i := range t.roomFor(l) {
		v := &l.Values[i]
		p := TimedPoint{Series: s, Time: l.Timestamp * 1e9, Whole: v.Int, Real: v.Float}
		if l.Kind == line.Counter && (l.Rate != 1 || !v.Whole) {
			p.Real = v.Float / l.Rate
			if t.options.IntCounters {
				p.Whole = t.round(p.Real)
			}
		}
		t.active.Timed = append(t.active.Timed, p)
	}
}

// round rounds to the nearest whole number, or by chance. A point of its own cannot carry a fraction over to the next one.
func (t *Table) round(x float64) int64 {
	if t.random != nil {
		return roundByChance(x, t.random)
	}
	return int64(math.Round(x))
}

// addReceived adds each value of a line as a point at the time of receipt.
func (t *Table) addReceived(s *Series, l *line.Line, at int64) {
	for i := range t.roomFor(l) {
		t.active.Timed = append(t.active.Timed, TimedPoint{Series: s, Time: at, Received: true, Real: l.Values[i].Float})
	}
}

// roomFor returns how many of the line's values fit into the epoch. It counts the others as dropped.
func (t *Table) roomFor(l *line.Line) int {
	e, n := t.active, len(l.Values)
	room := min(n, max(t.options.TimedPoints-len(e.Timed), 0))
	e.Stats.DroppedPoints += uint64(n - room)
	return room
}
