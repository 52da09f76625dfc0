package gatewaystate

import (
	"math"
	"slices"
	"sync"
	"time"
)

// The history covers one hour in steps of 5 s, for at most 64 series: 64 x 720 x 4 bytes are 184 KB.
const (
	Step      = 5 * time.Second
	Span      = time.Hour
	MaxSeries = 64
	slots     = int(Span / Step)
)

// History is the last hour of some numbers. It is safe for concurrent use.
type History struct {
	begin time.Time

	mu      sync.Mutex
	last    int64 // step of the newest slot, counted from begin
	series  []*historySeries
	leftOff int // names beyond MaxSeries, each time they came
}

type historySeries struct {
	name string
	ring [slots]float32 // NaN: no value
}

// NewHistory returns an empty history that begins now.
func NewHistory(now time.Time) *History { return &History{begin: now} }

// Begin is when the history was begun.
func (h *History) Begin() time.Time { return h.begin }

// Add notes a value of a series in the step of now. The last value of a step is kept. A series beyond MaxSeries is not
// kept.
func (h *History) Add(now time.Time, name string, value float64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.advance(now)
	if len(name) > MaxText {
		name = Clip(name)
	}
	i := slices.IndexFunc(h.series, func(s *historySeries) bool { return s.name == name })
	if i < 0 {
		if len(h.series) == MaxSeries {
			h.leftOff++
			return
		}
		s := &historySeries{name: name}
		for k := range s.ring {
			s.ring[k] = float32(math.NaN())
		}
		i = len(h.series)
		h.series = append(h.series, s)
	}
	h.series[i].ring[h.last%int64(slots)] = float32(value)
}

// advance empties the slots between the newest one and that of now. A clock that goes back changes nothing.
func (h *History) advance(now time.Time) {
	step := int64(now.Sub(h.begin) / Step)
	if step <= h.last {
		return
	}
	for k := max(h.last+1, step-int64(slots)+1); k <= step; k++ {
		for _, s := range h.series {
			s.ring[k%int64(slots)] = float32(math.NaN())
		}
	}
	h.last = step
}

// Strip is a copy of one series.
type Strip struct {
	Name string
	// Values are one per step, the oldest first. NaN: no value.
	Values []float32
}

// Strips returns the series in the order in which they came, and the time of their first value.
func (h *History) Strips() (first time.Time, strips []Strip) {
	h.mu.Lock()
	defer h.mu.Unlock()
	from := max(0, h.last-int64(slots)+1)
	for _, s := range h.series {
		values := make([]float32, 0, h.last-from+1)
		for k := from; k <= h.last; k++ {
			values = append(values, s.ring[k%int64(slots)])
		}
		strips = append(strips, Strip{s.name, values})
	}
	return h.begin.Add(time.Duration(from) * Step), strips
}

// LeftOff counts the values of series that found no place.
func (h *History) LeftOff() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.leftOff
}
