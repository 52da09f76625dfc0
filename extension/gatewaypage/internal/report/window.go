package report

import (
	"time"
)

// The windows of rates, of losses and of the residual.
const (
	rateWindow = 15 * time.Second
	lossWindow = time.Minute
	readyAfter = 5 * time.Second // without a refusal
)

// key identifies a number of the ledger.
type key struct{ signal, component, what string }

// window is the last minute of readings, to be compared with the present one.
type window struct {
	samples []sample // the oldest first, at most one per second
}

type sample struct {
	at        time.Time
	items     map[key]int64
	residuals map[key]int64
	metrics   bool // the gateway's own were read
}

// add appends a sample and forgets those that are older than lossWindow.
func (w *window) add(s sample) {
	if n := len(w.samples); n > 0 && s.at.Before(w.samples[n-1].at) {
		w.samples = w.samples[:0] // the clock went back
	}
	w.samples = append(w.samples, s)
	old := 0
	for old < len(w.samples)-1 && s.at.Sub(w.samples[old+1].at) >= lossWindow {
		old++
	}
	w.samples = append(w.samples[:0], w.samples[old:]...)
}

// growth is by how much a number has grown within a time, and over which time. It is that since the reading before the
// last one at least.
func (w *window) growth(k key, within time.Duration) (items int64, over time.Duration) {
	newest := len(w.samples) - 1
	last := &w.samples[newest]
	for i := range w.samples[:newest] {
		s := &w.samples[i]
		if i < newest-1 && last.at.Sub(s.at) > within+tolerance || last.metrics && !s.metrics {
			continue
		}
		// What was not there then began at 0 since.
		return last.items[k] - s.items[k], last.at.Sub(s.at)
	}
	return 0, 0
}

// tolerance is by how much a reading may be late.
const tolerance = 500 * time.Millisecond

// total is a number with its growth.
func (w *window) total(k key, items int64) Total {
	t := Total{Items: items}
	t.LastMinute, _ = w.growth(k, lossWindow)
	if grown, over := w.growth(k, rateWindow); over > 0 {
		t.PerSecond = float64(grown) / over.Seconds()
	}
	return t
}

// residual is the one nearest to 0 in the last rateWindow.
func (w *window) residual(k key) int64 {
	last := &w.samples[len(w.samples)-1]
	nearest := last.residuals[k]
	for i := range w.samples {
		s := &w.samples[i]
		if n, ok := s.residuals[k]; ok && last.at.Sub(s.at) <= rateWindow && abs(n) < abs(nearest) {
			nearest = n
		}
	}
	return nearest
}

func abs(n int64) int64 { return max(n, -n) }
