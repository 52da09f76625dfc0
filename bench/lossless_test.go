//go:build linux

package bench

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/otelcol-custom/otelcol-custom/internal/load"
)

// limit is the highest rate found at which nothing is lost.
type limit struct {
	rate     float64 // lines a second that were sent
	bySender bool    // the sender could not offer more
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

// halvings of a range of 64:1 leave a factor of 2^(6/32), 14 %, between what holds and what does not.
const halvings = 5

// search halves the range from low to 64 x low, in logarithms, by what try finds at a rate: the rate
// that was reached, and whether nothing was lost.
func search(low float64, try func(rate float64) (reached float64, held bool)) (best limit) {
	lower, upper := math.Log2(low), math.Log2(low)+6
	for range halvings {
		middle := (lower + upper) / 2
		rate := math.Exp2(middle)
		reached, held := try(rate)
		// Less than 97 % of what was asked for: asking for more gives no more.
		short := reached < 0.97*rate
		if held && reached > best.rate {
			best = limit{reached, short}
		}
		if held && !short {
			lower = middle
		} else {
			upper = middle
		}
	}
	return best
}

// BenchmarkLosslessRate looks for the highest rate of the base case at which nothing is lost in 1.5 s
// and everything has come out 1.5 s later. A rate that fails is tried once more. It takes one search
// for each contender and datagram, whatever -benchtime says.
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
						return holds(b, c, profile, rate)
					}))
				}
			}
			b.ReportMetric(0, "ns/op")
			reportLimits(b, "Highest rate without loss, lines a second", t.name, t.contenders, limits)
		})
	}
}

func holds(b *testing.B, c contender, profile load.Profile, rate float64) (reached float64, held bool) {
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
		holdsTo, sends float64
		low, high      float64 // of the rate found
		bySender       bool
	}{
		"the receiver's limit": {1e6, math.Inf(1), 0.87e6, 1e6, false},
		"the sender's limit":   {1e6, 0.5e6, 0.5e6, 0.5e6, true},
		"both near each other": {0.5e6, 0.51e6, 0.43e6, 0.5e6, false},
		"everything":           {math.Inf(1), math.Inf(1), 5.5e6, 6.4e6, false},
		"nothing":              {0, math.Inf(1), 0, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			got := search(100_000, func(rate float64) (float64, bool) {
				reached := min(rate, c.sends)
				return reached, reached <= c.holdsTo
			})
			if got.rate < c.low || got.rate > c.high || got.bySender != c.bySender {
				t.Errorf("must find %v to %v, by the sender %v (got %+v)", c.low, c.high, c.bySender, got)
			}
		})
	}
}
