package trend

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestSlope(t *testing.T) {
	at := time.Unix(0, 0)
	tr := New(5)
	assert.Zero(t, tr.Slope())
	assert.Zero(t, tr.Level())
	add := func(levels ...float64) {
		for _, level := range levels {
			at = at.Add(2 * time.Second)
			tr.Add(at, level)
		}
	}
	add(100)
	assert.Zero(t, tr.Slope(), "one sample says nothing")
	add(110)
	assert.InDelta(t, 5, tr.Slope(), 1e-9)
	add(100, 90, 80)
	assert.InDelta(t, -2.5, tr.Slope(), 1e-9)
	add(70, 60, 50, 40)
	assert.InDelta(t, -5, tr.Slope(), 1e-9, "the window has moved on")
	assert.InDelta(t, 40, tr.Level(), 0)
}

// Samples before the window have no effect. The level stays.
func TestRestart(t *testing.T) {
	tr := New(4)
	tr.Restart()
	assert.Zero(t, tr.Level())
	at := time.Unix(0, 0)
	for i, level := range []float64{10, 20, 30, 40, 50, 45, 40, 35, 30, 25} {
		at = at.Add(time.Second)
		tr.Add(at, level)
		if level == 50 {
			assert.InDelta(t, 10, tr.Slope(), 1e-9)
			tr.Restart()
			assert.Zero(t, tr.Slope())
			assert.InDelta(t, 50, tr.Level(), 0)
		}
		if i > 4 {
			assert.InDelta(t, -5, tr.Slope(), 1e-9, level)
		}
	}
}

// A clock that jumps does not change the slope.
func TestClockJumps(t *testing.T) {
	at := time.Unix(1000, 0)
	tr := New(4)
	tr.Add(at, 1)
	tr.Add(at.Add(time.Second), 2)
	tr.Add(at.Add(-time.Hour), 50)
	assert.Zero(t, tr.Slope())
	assert.InDelta(t, 50, tr.Level(), 0)
	tr.Add(at.Add(-time.Hour+time.Second), 60)
	assert.InDelta(t, 10, tr.Slope(), 1e-9)
}
