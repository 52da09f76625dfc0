package delivery

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestReplayRateIsBounded(t *testing.T) {
	for name, tc := range map[string]struct {
		pace  pace
		bytes int
		want  time.Duration
	}{
		"requests":          {pace{requests: 10}, 1 << 20, time.Second},
		"bytes":             {pace{bytes: 1 << 20}, 1 << 18, 2500 * time.Millisecond},
		"the slower counts": {pace{requests: 10, bytes: 1 << 20}, 1 << 10, time.Second},
		"no limit":          {pace{}, 1 << 30, 0},
	} {
		t.Run(name, func(t *testing.T) {
			begun := time.Unix(0, 0)
			now := begun
			for range 11 {
				now = now.Add(tc.pace.delay(now))
				tc.pace.sent(now, tc.bytes)
			}
			assert.Equal(t, tc.want, now.Sub(begun).Round(time.Millisecond), "ten intervals between eleven requests")
		})
	}
}

func TestPaceHalvesAndRecovers(t *testing.T) {
	var p pace
	now := time.Unix(0, 0)
	pause := func() time.Duration {
		now = now.Add(time.Hour)
		p.answered(now)
		return p.delay(now)
	}
	assert.Zero(t, pause())
	assert.False(t, p.slowed())
	p.slower()
	assert.True(t, p.slowed())
	first := pause()
	assert.Positive(t, first)
	p.slower()
	assert.Equal(t, 2*first, pause())
	for range 100 {
		p.slower()
	}
	assert.Equal(t, slowestPause, pause())
	for range 200 {
		p.faster()
	}
	assert.Zero(t, pause())
	assert.False(t, p.slowed())
}
