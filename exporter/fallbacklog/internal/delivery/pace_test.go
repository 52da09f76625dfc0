package delivery

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestReplayRateIsBounded(t *testing.T) {
	p := newPace(10)
	now := time.Unix(0, 0)
	var total time.Duration
	for range 11 {
		d := p.delay(now)
		total += d
		now = now.Add(d)
	}
	assert.Equal(t, time.Second, total.Round(time.Millisecond), "ten intervals of 100 ms between eleven requests")
}

func TestPaceHalvesAndRecovers(t *testing.T) {
	p := newPace(0)
	now := time.Unix(0, 0)
	assert.Zero(t, p.delay(now))
	p.slower()
	first := p.delay(now)
	assert.Positive(t, first)
	p.slower()
	assert.Equal(t, 2*first, p.delay(now))
	for range 100 {
		p.slower()
	}
	assert.Equal(t, slowestPause, p.delay(now))
	for range 200 {
		p.faster()
	}
	assert.Zero(t, p.delay(now))
}
