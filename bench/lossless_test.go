//go:build linux

package bench

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/otelcol-custom/otelcol-custom/internal/load"
)

// limit is the highest rate without loss that the search found.
type limit struct {
	rate     float64 // lines per second
	bySender bool    // the sender could not send faster
}

func (l limit) String() string {
	switch {
	case l.rate == 0:
		return "below the lowest tried"
	case l.bySender:
		return fmt.Sprintf(">= %.0fk (the sender's limit)", l.rate/1000)
	}
	return fmt.Sprintf("%.0fk", l.rate/1000)
}

// halvings is the number of halvings of a range of 64:1. They leave a factor of 2^(6/32), 14 %, between the highest rate
// without loss and the lowest one with loss.
const halvings = 5

// search halves the range from low to 64 x low in logarithms. try sends at a rate, and returns the rate that the sender
// reached and whether nothing was lost.
func search(low float64, try func(rate float64) (reached float64, lossless bool)) (best limit) {
	lower, upper := math.Log2(low), math.Log2(low)+6
	for range halvings {
		middle := (lower + upper) / 2
		rate := math.Exp2(middle)
		reached, lossless := try(rate)
		// If the sender reaches less than 97 % of the rate, it cannot send faster.
		short := reached < 0.97*rate
		if lossless && reached > best.rate {
			best = limit{reached, short}
		}
		if lossless && !short {
			lower = middle
		} else {
			upper = middle
		}
	}
	return best
}

// BenchmarkLosslessRate searches for the highest rate of the base case at which nothing is lost in 1.5 s and everything is in
// the output 1.5 s later. A rate that fails is tried again. There is one search per contender and kind of datagram,
// independent of -benchtime.
func BenchmarkLosslessRate(b *testing.B) {
	for _, t := range []struct {
		traffic
		low float64
	}{
		{traffic{"packed", allBuffers, func(*load.Profile) {}}, 100_000},
		{traffic{"single", allBuffers, func(p *load.Profile) { p.LinesPerDatagram = 1 }}, 20_000},
		{traffic{"8KiB", allBuffers, func(p *load.Profile) { p.PayloadBytes = eightKiB }}, 100_000},
	} {
		b.Run(t.name, func(b *testing.B) {
			profile := base()
			profile.Duration = 1500 * time.Millisecond
			t.change(&profile)
			limits := make([]limit, 0, len(t.contenders))
			for b.Loop() {
				if len(limits) > 0 {
					continue
				}
				for _, c := range t.contenders {
					limits = append(limits, search(t.low, func(rate float64) (float64, bool) {
						return isLossless(b, c, profile, rate)
					}))
				}
			}
			b.ReportMetric(0, "ns/op")
			reportLimits(b, "Highest rate without loss, lines per second", t.name, t.contenders, limits)
		})
	}
}

// isLossless runs a round at a rate, and another one if the first loses data.
func isLossless(b *testing.B, c contender, profile load.Profile, rate float64) (reached float64, lossless bool) {
	profile.Rate = rate
	for range 2 {
		r := round(b, c, profile, job{Interval: 500 * time.Millisecond, Grace: 1500 * time.Millisecond})
		if r.lost == 0 {
			return r.offered, true
		}
		reached = r.offered
	}
	return reached, false
}

func TestSearch(t *testing.T) {
	for name, c := range map[string]struct {
		maxLossless, maxSent float64
		low, high            float64 // bounds of the result
		bySender             bool
	}{
		"the receiver's limit": {1e6, math.Inf(1), 0.87e6, 1e6, false},
		"the sender's limit":   {1e6, 0.5e6, 0.5e6, 0.5e6, true},
		"both near each other": {0.5e6, 0.51e6, 0.43e6, 0.5e6, false},
		"everything":           {math.Inf(1), math.Inf(1), 5.5e6, 6.4e6, false},
		"nothing":              {0, math.Inf(1), 0, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			got := search(100_000, func(rate float64) (float64, bool) {
				reached := min(rate, c.maxSent)
				return reached, reached <= c.maxLossless
			})
			if got.rate < c.low || got.rate > c.high || got.bySender != c.bySender {
				t.Errorf("must find %v to %v, by the sender %v (got %+v)", c.low, c.high, c.bySender, got)
			}
		})
	}
}
