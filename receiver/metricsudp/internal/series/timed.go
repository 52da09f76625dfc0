package series

import (
	"math"

	"github.com/otelcol-custom/otelcol-custom/receiver/metricsudp/internal/line"
)

// TimedPoint is a value with a time of its own, the sender's or that of receipt.
type TimedPoint struct {
	Series *Series
	// Time is in nanoseconds: of the Unix epoch, or for what was Received of the
	// clock that all tables have in common.
	Time     int64
	Received bool
	Whole    int64 // of an int counter, rounded
	Real     float64
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

// round has no series to carry the fraction over in.
func (t *Table) round(x float64) int64 {
	if t.random != nil {
		return roundByChance(x, t.random)
	}
	return int64(math.Round(x))
}

// addReceived adds the values of a line that was received at a time.
func (t *Table) addReceived(s *Series, l *line.Line, at int64) {
	for i := range t.roomFor(l) {
		t.active.Timed = append(t.active.Timed, TimedPoint{Series: s, Time: at, Received: true, Real: l.Values[i].Float})
	}
}

// roomFor returns how many of the line's values find room in the epoch. The others
// are counted.
func (t *Table) roomFor(l *line.Line) int {
	e, n := t.active, len(l.Values)
	room := min(n, max(t.options.TimedPoints-len(e.Timed), 0))
	e.Stats.DroppedPoints += uint64(n - room)
	return room
}
