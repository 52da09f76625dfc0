package flush

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestIntervalClock(t *testing.T) {
	c := IntervalClock{Interval: time.Millisecond, Align: true}
	before := c.Now()
	at, ok := c.Next(nil)
	assert.True(t, ok)
	assert.True(t, at.After(before))
	// With a reading of the monotonic clock, After would not see a wall clock that was set back.
	assert.Equal(t, before.Round(0), before)
	assert.Equal(t, at.Round(0), at)
	stopped := make(chan struct{})
	close(stopped)
	_, ok = IntervalClock{Interval: time.Hour}.Next(stopped)
	assert.False(t, ok)
}
